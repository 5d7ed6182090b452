/* What the kernel of an arm64-v8a phone starts in the place of every arm64 program: run FILE ARGS…

   Android's programs name the loader /system/bin/linker64 and want its C library, bionic. Here
   glibc's loader loads them, with libc.c in front of glibc. Two things it cannot read are taken out
   of a copy in memory: symbol versions called LIBC, and the array of functions to run first, which
   starts with -1. The file stays what was pushed. Programs for another loader run only if they bring
   it, as on a phone. */

#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME "/system/emulator"
#define IGNORED DT_LOOS /* a tag that glibc's loader skips */
enum { CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

typedef struct { unsigned char *bytes; size_t size; } File;

/* Return the first segment of a kind, or NULL; it lies within the file. */
static const Elf64_Phdr *segment(File file, unsigned kind) {
  const Elf64_Ehdr *head = (const Elf64_Ehdr *)file.bytes;
  if (file.size < sizeof *head || head->e_phentsize != sizeof(Elf64_Phdr) ||
      head->e_phoff > file.size || head->e_phnum > (file.size - head->e_phoff) / sizeof(Elf64_Phdr))
    return NULL;
  const Elf64_Phdr *all = (const Elf64_Phdr *)(file.bytes + head->e_phoff);
  for (int i = 0; i < head->e_phnum; i++)
    if (all[i].p_type == kind && all[i].p_filesz > 0 && all[i].p_offset <= file.size &&
        all[i].p_filesz <= file.size - all[i].p_offset)
      return &all[i];
  return NULL;
}

static const char *loader(File file) {
  const Elf64_Phdr *named = segment(file, PT_INTERP);
  if (named == NULL) return NULL;
  const char *text = (const char *)file.bytes + named->p_offset;
  return text[named->p_filesz - 1] == '\0' ? text : NULL;
}

static void adapt(File file) {
  const Elf64_Phdr *dynamic = segment(file, PT_DYNAMIC);
  if (dynamic == NULL) return;
  Elf64_Dyn *entry = (Elf64_Dyn *)(file.bytes + dynamic->p_offset);
  for (size_t i = 0; i < dynamic->p_filesz / sizeof *entry && entry[i].d_tag != DT_NULL; i++)
    switch (entry[i].d_tag) {
      case DT_VERSYM: case DT_VERNEED: case DT_VERNEEDNUM:
      case DT_PREINIT_ARRAY: case DT_PREINIT_ARRAYSZ:
        entry[i].d_tag = IGNORED;
    }
}

static int failed(const char *name) {
  perror(name);
  return CANNOT_EXECUTE;
}

int main(int count, char **given) {
  struct stat about;
  if (count < 2) return CANNOT_EXECUTE;
  int fd = open(given[1], O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &about) < 0) return failed(given[1]);
  File file = {NULL, (size_t)about.st_size};
  file.bytes = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (file.bytes == MAP_FAILED) return failed(given[1]);

  const char *named = loader(file);
  int android = named != NULL && strcmp(named, "/system/bin/linker64") == 0;
  if (named != NULL && !android && access(named, X_OK) != 0) {
    fprintf(stderr, "/system/bin/sh: %s: inaccessible or not found\n", given[1]);
    return NOT_FOUND;
  }
  char path[32] = "";
  if (android) {
    adapt(file);
    int copy = memfd_create("adapted", 0);
    if (copy < 0 || write(copy, file.bytes, file.size) != (ssize_t)file.size)
      return failed(given[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
  }
  /* The processor is the one that /proc/cpuinfo tells of. */
  char *start[] = {HOME "/qemu", "-cpu", "cortex-a76", HOME "/ld-linux-aarch64.so.1",
                   "--library-path", HOME, "--argv0", given[1], path};
  int used = android ? 9 : 3, first = android ? 2 : 1;
  char *arguments[used + count];
  memcpy(arguments, start, used * sizeof *start);
  memcpy(arguments + used, given + first, (count - first + 1) * sizeof *given); /* NULL too */
  execv(arguments[0], arguments);
  return failed(arguments[0]);
}
