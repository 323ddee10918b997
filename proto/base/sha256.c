#include "base/sha256.h"

#include <stdatomic.h>
#include <string.h>

#define BLOCK 64

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

// --- any processor ---

static uint32_t turn(uint32_t v, int by)
{
    return v >> by | v << (32 - by);
}

static uint32_t load_big(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add_block(uint32_t state[8], const unsigned char *data)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = load_big(data + (size_t)4 * (size_t)i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof(s));
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                      ROUND[i] + w[i];
        uint32_t t2 =
            (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[0] = t1 + t2;
        s[4] += t1;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

// --- x86 with SHA instructions ---

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

// Asking the processor may be a trap into a hypervisor: once per process is enough. Whoever asks at the same time gets
// the same answer.
static bool has_instructions(void)
{
    static atomic_int known; // 1: no, 2: yes
    int k = atomic_load_explicit(&known, memory_order_relaxed);
    if (!k) {
        unsigned a = 0, b = 0, c = 0, d = 0;
        bool sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29));
        k = sha && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") ? 2 : 1;
        atomic_store_explicit(&known, k, memory_order_relaxed);
    }
    return k == 2;
}

// The instructions want the state as (A, B, E, F) and (C, D, G, H), highest first; each does two rounds.
__attribute__((target("sha,ssse3,sse4.1"))) static void add_blocks_x86(uint32_t state[8], const unsigned char *data,
                                                                       size_t n)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)&state[0]), 0xB1);  // C D A B
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)&state[4]), 0x1B); // E F G H
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
    for (; n > 0; n--, data += BLOCK) {
        __m128i w[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] =
                _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(data + (size_t)16 * (size_t)i)), swap);
        for (int i = 0; i < 16;
             i++) { // four rounds each; w[i % 4] holds the words of these, then those of 16 rounds later
            __m128i sum = _mm_add_epi32(w[i & 3], _mm_loadu_si128((const __m128i *)(const void *)&ROUND[4 * i]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
            if (i >= 12)
                continue;
            __m128i next = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
            next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
            w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1B);  // A B E F from the lowest
    high = _mm_shuffle_epi32(cdgh, 0xB1); // G H C D
    _mm_storeu_si128((__m128i *)(void *)&state[0], _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128((__m128i *)(void *)&state[4], _mm_alignr_epi8(high, low, 8));
}
#else
static bool has_instructions(void)
{
    return false;
}

static void add_blocks_x86(uint32_t state[8], const unsigned char *data, size_t n)
{
    (void)state, (void)data, (void)n;
}
#endif

static void add_blocks(struct sha256 *h, const unsigned char *data, size_t n)
{
    if (!h->portable) {
        add_blocks_x86(h->state, data, n);
        return;
    }
    for (; n > 0; n--, data += BLOCK)
        add_block(h->state, data);
}

void sha256_init(struct sha256 *h)
{
    *h = (struct sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
        .portable = !has_instructions()};
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
    const unsigned char *at = data;
    size_t held = h->len % BLOCK;
    h->len += len;
    if (held) {
        size_t n = len < BLOCK - held ? len : BLOCK - held;
        memcpy(h->block + held, at, n);
        if (held + n < BLOCK)
            return;
        add_blocks(h, h->block, 1);
        at += n;
        len -= n;
    }
    add_blocks(h, at, len / BLOCK);
    if (len % BLOCK)
        memcpy(h->block, at + len / BLOCK * BLOCK, len % BLOCK);
}

void sha256_finish(struct sha256 *h, unsigned char out[SHA256_BYTES])
{
    static const unsigned char PAD[BLOCK] = {0x80};
    unsigned char bits[8];
    uint64_t n = h->len * 8;
    size_t held = h->len % BLOCK;
    for (int i = 7; i >= 0; i--, n >>= 8)
        bits[i] = (unsigned char)n;
    sha256_add(h, PAD, held < BLOCK - 8 ? BLOCK - 8 - held : 2 * BLOCK - 8 - held);
    sha256_add(h, bits, sizeof(bits));
    for (size_t i = 0; i < SHA256_BYTES; i++)
        out[i] = (unsigned char)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}
