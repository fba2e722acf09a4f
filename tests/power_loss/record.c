/* What a disk holds after a power failure, at worst: the names that a folder had when it was last flushed (fsync), and
 * of each file the bytes that it had when it was last flushed itself. Loaded into a program with LD_PRELOAD; the copy is
 * made below $POWER_LOSS_COPY for what lies below $POWER_LOSS_ROOT. Folders count as durable when they are made. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void make_folders(char *path) {
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0777);
        *at = '/';
    }
}

static void copy(const char *from, const char *to) {
    char buffer[1 << 16], half[PATH_MAX + 8];
    snprintf(half, sizeof half, "%s.half", to);
    int in = open(from, O_RDONLY), out = open(half, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    for (ssize_t n; in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0;)
        if (write(out, buffer, n) != n) abort();
    close(in);
    close(out);
    if (in < 0 || out < 0 || rename(half, to)) abort();
}

/* The flushed bytes of a file, by its inode. */
static void flushed(char *path, const char *copies, const struct stat *file) {
    snprintf(path, PATH_MAX, "%s/inodes/%llu-%llu", copies, (unsigned long long)file->st_dev, (unsigned long long)file->st_ino);
}

static void record_folder(const char *folder, const char *copies) {
    char there[PATH_MAX + 2], name[2 * PATH_MAX], kept[PATH_MAX], file[2 * PATH_MAX];
    snprintf(there, sizeof there, "%s/files%s/", copies, folder);
    make_folders(there);
    DIR *old = opendir(there);
    for (struct dirent *entry; old && (entry = readdir(old));) {
        snprintf(name, sizeof name, "%s%s", there, entry->d_name);
        unlink(name); /* folders stay */
    }
    if (old) closedir(old);
    DIR *now = opendir(folder);
    for (struct dirent *entry; now && (entry = readdir(now));) {
        struct stat about;
        snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        snprintf(name, sizeof name, "%s%s", there, entry->d_name);
        if (lstat(file, &about) || !S_ISREG(about.st_mode)) continue;
        flushed(kept, copies, &about);
        if (access(kept, R_OK) == 0)
            copy(kept, name);
        else
            close(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666)); /* a name without bytes */
    }
    if (now) closedir(now);
}

static void record(int fd) {
    const char *copies = getenv("POWER_LOSS_COPY"), *root = getenv("POWER_LOSS_ROOT");
    char link[64], path[PATH_MAX] = {0}, kept[PATH_MAX];
    struct stat about;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!copies || !root || fstat(fd, &about) || readlink(link, path, sizeof path - 1) < 0) return;
    if (strncmp(path, root, strlen(root))) return;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(about.st_mode)) {
        record_folder(path, copies);
    } else {
        flushed(kept, copies, &about);
        make_folders(kept);
        copy(path, kept);
    }
    pthread_mutex_unlock(&lock);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int done = real(fd);
    if (done == 0) record(fd);
    return done;
}
