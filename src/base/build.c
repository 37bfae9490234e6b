#include "base/build.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"

/* elf(5): name and descriptor of a note are each padded to 4 bytes. */
static size_t build_padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

/* The descriptor of the build id's note among the notes of one segment, which the linker made; empty if it has none. */
static struct text build_find(const char *notes, size_t bytes)
{
    ElfW(Nhdr) note;
    while (bytes >= sizeof note) {
        memcpy(&note, notes, sizeof note);
        size_t name = build_padded(note.n_namesz);
        size_t whole = sizeof note + name + build_padded(note.n_descsz);
        if (whole > bytes) {
            break;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(notes + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            return (struct text){notes + sizeof note + name, note.n_descsz};
        }
        notes += whole;
        bytes -= whole;
    }
    return (struct text){NULL, 0};
}

/* dl_iterate_phdr(3) begins with the program itself. */
static int build_look(struct dl_phdr_info *info, size_t size, void *context)
{
    struct text *found = context;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum && found->bytes == 0; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE) {
            *found = build_find((const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr), segment->p_memsz);
        }
    }
    return 1;
}

void build_id(char ret[BUILD_ID_BYTES])
{
    struct text note = {NULL, 0};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    ret[0] = '\0';
    (void)dl_iterate_phdr(build_look, &note);
    if (note.bytes > 0) {
        crypto_digest_list(&note, 1, digest);
        snprintf(ret, BUILD_ID_BYTES, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    }
}
