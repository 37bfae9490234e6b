#include "base/timestamp.h"

#include <string.h>
#include <time.h>

#include "base/fault.h"

#ifdef CHATS_FAULTS
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#endif

#define NS_PER_S UINT64_C(1000000000)
#define S_PER_DAY 86400

/*
 * Days between 1970-01-01 and a date of the proleptic Gregorian calendar, and back, counted in 400-year eras of years
 * that begin in March: so the leap day is a year's last. The algorithm is Howard Hinnant's, "chrono-compatible
 * low-level date algorithms".
 */
static int64_t days_of_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/*
 * The same back, for days of the years 1970 to 2554. By multiplications: Neri and Schneider, "Euclidean affine
 * functions and their application to calendar algorithms", Software: Practice and Experience, 2022, figure 12.
 */
static void date_of_days(uint32_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    uint32_t quarters = 4 * (days + 719468) + 3; /* of a day, since a March of year 0 */
    uint32_t century = quarters / 146097;
    uint64_t of_century = UINT64_C(2939745) * (quarters % 146097 | 3);
    uint32_t year_of_century = (uint32_t)(of_century >> 32);
    uint32_t day_of_year = (uint32_t)of_century / 2939745 / 4;
    uint32_t months = 2141 * day_of_year + 197913; /* the month in its upper half, from March on */
    bool is_next = day_of_year >= 306;             /* January or February */
    *ret_year = 100 * century + year_of_century + is_next;
    *ret_month = is_next ? (months >> 16) - 12 : months >> 16;
    *ret_day = (months & 0xffff) / 2141 + 1;
}

/* Two digits, and what follows them. */
static char *put_pair(char *at, unsigned value, char next)
{
    static const char digits[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                 "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                 "8081828384858687888990919293949596979899";
    memcpy(at, digits + (size_t)2 * value, 2);
    at[2] = next;
    return at + 3;
}

void timestamp_format(uint64_t time_ns, char ret[TIMESTAMP_BYTES])
{
    uint64_t seconds = time_ns / NS_PER_S;
    unsigned ns = (unsigned)(time_ns % NS_PER_S);
    unsigned second = (unsigned)(seconds % S_PER_DAY);
    unsigned year;
    unsigned month;
    unsigned day;
    date_of_days((uint32_t)(seconds / S_PER_DAY), &year, &month, &day);
    char *at = put_pair(ret, year / 100, '0') - 1;
    at = put_pair(at, year % 100, '-');
    at = put_pair(at, month, '-');
    at = put_pair(at, day, 'T');
    at = put_pair(at, second / 3600, ':');
    at = put_pair(at, second / 60 % 60, ':');
    at = put_pair(at, second % 60, '.');
    at = put_pair(at, ns / 10000000, '0') - 1;
    at = put_pair(at, ns / 100000 % 100, '0') - 1;
    at = put_pair(at, ns / 1000 % 100, '0') - 1;
    at = put_pair(at, ns / 10 % 100, '0') - 1;
    *at++ = (char)('0' + ns % 10);
    *at = 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `count` digits from *at on, before end; moves *at past them. */
static bool take_number(const char **at, const char *end, int count, int *ret)
{
    if (end - *at < count) {
        return false;
    }
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit((*at)[i])) {
            return false;
        }
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += count;
    *ret = value;
    return true;
}

static bool take_char(const char **at, const char *end, char lower, char upper)
{
    if (*at == end || (**at != lower && **at != upper)) {
        return false;
    }
    (*at)++;
    return true;
}

/*
 * ".5" and the like, if it is there; nothing else can follow the seconds but an offset. RFC 3339 bounds the number of
 * digits nowhere (time-secfrac, section 5.6). *ret_finer: some digit after the ninth is not 0.
 */
static bool take_fraction(const char **at, const char *end, uint64_t *ret_ns, bool *ret_finer)
{
    *ret_ns = 0;
    *ret_finer = false;
    if (!take_char(at, end, '.', '.')) {
        return true;
    }
    uint64_t unit_ns = NS_PER_S / 10;
    const char *first = *at;
    for (; *at < end && is_digit(**at); (*at)++) {
        *ret_finer = *ret_finer || (unit_ns == 0 && **at != '0');
        *ret_ns += (uint64_t)(**at - '0') * unit_ns;
        unit_ns /= 10;
    }
    return *at > first;
}

static bool take_offset(const char **at, const char *end, int *ret_minutes)
{
    *ret_minutes = 0;
    if (take_char(at, end, 'z', 'Z')) {
        return true;
    }
    bool west = take_char(at, end, '-', '-');
    if (!west && !take_char(at, end, '+', '+')) {
        return false;
    }
    int hours;
    int minutes;
    if (!take_number(at, end, 2, &hours) || !take_char(at, end, ':', ':') || !take_number(at, end, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

static int days_in_month(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool timestamp_parse_bound(struct text t, uint64_t *ret_floor_ns, uint64_t *ret_ceiling_ns)
{
    if (t.bytes == 0) {
        return false;
    }
    const char *at = t.data;
    const char *end = t.data + t.bytes;
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    int offset_minutes;
    uint64_t fraction_ns;
    uint64_t floor_ns;
    bool finer;
    if (!take_number(&at, end, 4, &year) || !take_char(&at, end, '-', '-') || !take_number(&at, end, 2, &month) ||
        !take_char(&at, end, '-', '-') || !take_number(&at, end, 2, &day) || !take_char(&at, end, 't', 'T') ||
        !take_number(&at, end, 2, &hour) || !take_char(&at, end, ':', ':') || !take_number(&at, end, 2, &minute) ||
        !take_char(&at, end, ':', ':') || !take_number(&at, end, 2, &second) ||
        !take_fraction(&at, end, &fraction_ns, &finer) || !take_offset(&at, end, &offset_minutes) || at != end) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 60) {
        return false;
    }
    int64_t minutes = days_of_date(year, month, day) * 1440 + (int64_t)hour * 60 + minute - offset_minutes;
    /* Leap seconds are inserted at the end of a UTC day: ITU-R TF.460, RFC 3339 appendix D. */
    if (second == 60 && ((minutes % 1440) + 1440) % 1440 != 1439) {
        return false;
    }
    int64_t seconds = minutes * 60 + second;
    *ret_floor_ns = 0;
    *ret_ceiling_ns = 0;
    if (seconds < 0) {
        return true;
    }
    if (__builtin_mul_overflow((uint64_t)seconds, NS_PER_S, &floor_ns) ||
        __builtin_add_overflow(floor_ns, fraction_ns, &floor_ns)) {
        floor_ns = UINT64_MAX;
    }
    *ret_floor_ns = floor_ns;
    *ret_ceiling_ns = finer && floor_ns < UINT64_MAX ? floor_ns + 1 : floor_ns;
    return true;
}

bool timestamp_parse(struct text t, uint64_t *ret_ns)
{
    uint64_t ceiling_ns;
    return timestamp_parse_bound(t, ret_ns, &ceiling_ns);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

#ifdef CHATS_FAULTS
static long clock_file_s(void)
{
    long seconds = 0;
    char path[PATH_MAX];
    const char *home = getenv("CHATS_HOME");
    if (!home || snprintf(path, sizeof path, "%s/test-clock", home) >= (int)sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    if (fscanf(file, "%ld", &seconds) != 1) {
        seconds = 0;
    }
    fclose(file);
    return seconds;
}
#endif

uint64_t timestamp_now_ns(void)
{
    long offset_s = fault_value(FAULT_CLOCK_OFFSET_S);
#ifdef CHATS_FAULTS
    if (fault_value(FAULT_CLOCK_FILE) != 0) {
        offset_s += clock_file_s();
    }
#endif
    return clock_ns(CLOCK_REALTIME) + (uint64_t)offset_s * NS_PER_S;
}

uint64_t timestamp_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}
