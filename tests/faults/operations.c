/* Stands before the C library's file operations and lets the N-th of them go wrong.

   Loaded with LD_PRELOAD and asleep until `faults_begin` names a control block: a file that is
   shared by all processes of a run. Counted is what happens below the folder that the block names,
   in the process's own role (0 the run's process, 1 its workers). Python, SQLite, torch and
   safetensors all come through here. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, KILL, KILL_BOTH, TEAR, FULL, BROKEN };
enum { LONGEST = 4096, FILES = 1024 };

/* The layout is that of `control.py`. */
struct control {
    int role, kind;
    long at;
    long count[2];
    int pids[2];
    int fired, full;
    char root[512];
    char trace[512];
    char met[512];
};

static struct control *control;
static int role, trace = -1;
static char tracked[FILES];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

int faults_begin(const char *path, int own_role) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return -1;
    void *block = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (block == MAP_FAILED) return -1;
    role = own_role;
    memset(tracked, 0, sizeof tracked);
    struct control *found = block;
    found->pids[role] = getpid();
    if (found->trace[0])
        trace = (int)syscall(SYS_openat, AT_FDCWD, found->trace,
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    control = found;
    return 0;
}

/* The absolute path, as far as it can be known without asking for links. */
static void absolute(int folder, const char *path, char *out) {
    char start[LONGEST / 2] = "";
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(start, sizeof start)) start[0] = 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, start, sizeof start - 1);
            start[length > 0 ? length : 0] = 0;
        }
        snprintf(out, LONGEST, "%s/%.2000s", start, path);
    } else {
        snprintf(out, LONGEST, "%.4000s", path);
    }
}

static int below(const char *path) {
    size_t length = strlen(control->root);
    return length && !strncmp(path, control->root, length);
}

static void die(int both) {
    if (both && control->pids[!role] > 0) kill(control->pids[!role], SIGKILL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

enum { GOES_ON = 0, HALF_AND_DEAD = -1, HALF = -2 };

/* Count an operation. Returns the errno that it fails with, or one of the above: what fills a disk
   up still writes its first half. `needs_room` are those that a full disk refuses. */
static int met(const char *name, const char *path, int needs_room) {
    long number = __sync_add_and_fetch(&control->count[role], 1);
    if (trace >= 0) {
        char line[LONGEST];
        int length = snprintf(line, sizeof line, "%d %ld %s %.3000s\n", role, number, name,
                              path + strlen(control->root));
        syscall(SYS_write, trace, line, (size_t)length);
    }
    if (control->full && needs_room) return ENOSPC;
    if (control->kind == NOTHING || role != control->role || number != control->at) return 0;
    control->fired = 1;
    snprintf(control->met, sizeof control->met, "%s %.400s", name, path + strlen(control->root));
    switch (control->kind) {
    case KILL: die(0); break;
    case KILL_BOTH: die(1); break;
    case TEAR: return HALF_AND_DEAD;
    case BROKEN: return EIO;
    case FULL:
        control->full = 1;
        return needs_room ? HALF : GOES_ON;
    }
    return GOES_ON;
}

static int refused(const char *name, int folder, const char *path, int needs_room) {
    char whole[LONGEST];
    if (!control || !path) return 0;
    int before = errno;
    absolute(folder, path, whole);
    int error = below(whole) ? met(name, whole, needs_room) : 0;
    if (error == HALF_AND_DEAD) die(0);
    if (error == HALF) error = ENOSPC; /* there is no half of it */
    errno = error ? error : before;
    return error;
}

/* The same for an operation on a file that is open. */
static int refused_file(const char *name, int file, int needs_room) {
    if (!control || file < 0 || file >= FILES || !tracked[file]) return 0;
    char link[64], path[LONGEST];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    int error = below(path) ? met(name, path, needs_room) : 0;
    errno = error > 0 ? error : before;
    return error;
}

static int opened(int file, int flags) {
    if (control && file >= 0 && file < FILES) tracked[file] = (flags & O_ACCMODE) != O_RDONLY;
    return file;
}

static int open_any(int folder, const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (!(flags & (O_DIRECTORY | O_PATH)) &&
        refused(writes ? "open" : "look", folder, path, writes && (flags & O_CREAT)))
        return -1;
    return opened(REAL(openat)(folder, path, flags, mode), flags);
}

#define MODE()                                  \
    mode_t mode = 0;                            \
    if (flags & (O_CREAT | O_TMPFILE)) {        \
        va_list more;                           \
        va_start(more, flags);                  \
        mode = va_arg(more, mode_t);            \
        va_end(more);                           \
    }

int open(const char *path, int flags, ...) { MODE() return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) {
    MODE() return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE() if (folder == AT_FDCWD || control) return open_any(folder, path, flags, mode);
    return REAL(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE() return open_any(folder, path, flags | O_LARGEFILE, mode);
}

int close(int file) {
    if (file >= 0 && file < FILES) tracked[file] = 0;
    return REAL(close)(file);
}

/* The size of a write that is to be done, 0 where it fails with errno. */
static size_t allowed(int file, size_t size, int *dies) {
    int error = refused_file("write", file, 1);
    *dies = error == HALF_AND_DEAD;
    if (error == HALF && size < 2) {
        errno = ENOSPC;
        return 0;
    }
    return error > 0 ? 0 : error < 0 ? size / 2 : size;
}

ssize_t write(int file, const void *data, size_t size) {
    if (!size) return REAL(write)(file, data, size);
    int dies;
    size_t part = allowed(file, size, &dies);
    ssize_t done = part ? REAL(write)(file, data, part) : -1;
    if (dies) die(0);
    return done;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    int dies;
    size_t part = allowed(file, size, &dies);
    ssize_t done = part ? REAL(pwrite64)(file, data, part, at) : -1;
    if (dies) die(0);
    return done;
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    return pwrite64(file, data, size, at);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    int dies;
    struct stat source;
    /* What is asked for is more than the file has, as a rule. */
    if (!fstat(from, &source) && source.st_size > 0 && size > (size_t)source.st_size)
        size = (size_t)source.st_size;
    size_t part = allowed(to, size, &dies);
    ssize_t done = part ? REAL(sendfile64)(to, from, at, part) : -1;
    if (dies) die(0);
    return done;
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) {
    return sendfile64(to, from, (off64_t *)at, size);
}

#define ON_FILE(name, takes, gives, room)                          \
    int name takes {                                               \
        int error = refused_file(#name, file, room);               \
        if (error == HALF_AND_DEAD) die(0);                        \
        return error ? -1 : REAL(name) gives;                      \
    }

ON_FILE(fsync, (int file), (file), 0)
ON_FILE(fdatasync, (int file), (file), 0)
ON_FILE(ftruncate, (int file, off_t size), (file, size), 0)
ON_FILE(ftruncate64, (int file, off64_t size), (file, size), 0)

int rename(const char *old, const char *new) {
    return refused("rename", AT_FDCWD, new, 0) ? -1 : REAL(rename)(old, new);
}
int unlink(const char *path) {
    return refused("unlink", AT_FDCWD, path, 0) ? -1 : REAL(unlink)(path);
}
int unlinkat(int folder, const char *path, int flags) {
    return refused("unlink", folder, path, 0) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int rmdir(const char *path) {
    return refused("rmdir", AT_FDCWD, path, 0) ? -1 : REAL(rmdir)(path);
}
int mkdir(const char *path, mode_t mode) {
    return refused("mkdir", AT_FDCWD, path, 1) ? -1 : REAL(mkdir)(path, mode);
}
