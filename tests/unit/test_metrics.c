#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/metrics.h"
#include "worker/observe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct metrics metrics;
static struct buffer page;

static int set_up(void **state)
{
    (void)state;
    metrics_init(&metrics);
    return 0;
}

static void render(void)
{
    buffer_clear(&page);
    metrics_render(&metrics, &page);
}

/* Whether the page has this very line. */
static bool has_line(const char *line)
{
    size_t size = strlen(line);
    for (const char *at = page.data; (at = strstr(at, line)) != NULL; at++) {
        if ((at == page.data || at[-1] == '\n') && at[size] == '\n') return true;
    }
    return false;
}

static void assert_line(const char *line)
{
    if (!has_line(line)) fail_msg("no line \"%s\" in\n%s", line, page.data);
}

static void test_counters(void **state)
{
    (void)state;
    render();
    assert_line("# HELP bursar_deductions_total Deductions dealt with, by what became of them.");
    assert_line("# TYPE bursar_deductions_total counter");
    assert_line("bursar_deductions_total{outcome=\"settled\"} 0");
    metrics_add(&metrics, METRIC_DEDUCTIONS_SETTLED, 5000);
    metrics_add(&metrics, METRIC_DEDUCTIONS_SETTLED, 1);
    metrics_add(&metrics, METRIC_DEDUCTIONS_DUPLICATE, 2);
    metrics_add(&metrics, METRIC_DEDUCTIONS_REJECTED, 3);
    metrics_add(&metrics, METRIC_DEDUCTIONS_PARKED, UINT64_C(9007199254740993));
    metrics_add(&metrics, METRIC_REDELIVERIES, 0);
    render();
    assert_line("bursar_deductions_total{outcome=\"settled\"} 5001");
    assert_line("bursar_deductions_total{outcome=\"duplicate\"} 2");
    assert_line("bursar_deductions_total{outcome=\"rejected\"} 3");
    assert_line("bursar_deductions_total{outcome=\"parked\"} 9007199254740993");
    assert_line("bursar_redeliveries_total 0");
}

static void test_gauges(void **state)
{
    (void)state;
    render();
    assert_line("bursar_component_up{component=\"broker\"} 0");
    assert_line("bursar_held_bytes 0");
    assert_null(strstr(page.data, "bursar_queue_messages"));
    assert_null(strstr(page.data, "bursar_refunds_due"));
    assert_null(strstr(page.data, "bursar_last_commit_timestamp_seconds"));
    metrics_set(&metrics, METRIC_COMPONENT_UP_BROKER, 1);
    metrics_set(&metrics, METRIC_QUEUE_MESSAGES_DEAD_LETTER, 7);
    metrics_set(&metrics, METRIC_HELD_BYTES, 268435456);
    metrics_set(&metrics, METRIC_LAST_COMMIT_TIMESTAMP, 1732263296.123456);
    render();
    assert_line("bursar_component_up{component=\"broker\"} 1");
    assert_line("bursar_component_up{component=\"redis\"} 0");
    assert_line("# TYPE bursar_queue_messages gauge");
    assert_line("bursar_queue_messages{queue=\"dead_letter\"} 7");
    assert_null(strstr(page.data, "queue=\"deductions\""));
    assert_line("bursar_held_bytes 268435456");
    assert_line("bursar_last_commit_timestamp_seconds 1732263296.12346");
    metrics_set(&metrics, METRIC_QUEUE_MESSAGES_DEAD_LETTER, NAN);
    render();
    assert_null(strstr(page.data, "bursar_queue_messages"));
}

/* Only who consumes knows what the broker counts as given to it. */
static void test_what_is_held_is_told_while_it_consumes(void **state)
{
    static const enum link_state silent[] = {LINK_DOWN, LINK_CONNECTING, LINK_IDLE, LINK_STARTING,
                                             LINK_STOPPING};
    const struct worker_view none = {0};
    (void)state;
    render();
    assert_null(strstr(page.data, "bursar_deliveries_held"));
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        observe_view(&metrics, &none, &(struct worker_view){.link = LINK_CONSUMING, .held = 7});
        render();
        assert_line("bursar_deliveries_held 7");
        observe_view(&metrics, &none, &(struct worker_view){.link = silent[i], .held = 7});
        render();
        assert_null(strstr(page.data, "bursar_deliveries_held"));
    }
    observe_view(&metrics, &none, &(struct worker_view){.link = LINK_CONSUMING});
    render();
    assert_line("bursar_deliveries_held 0");
}

static void test_histograms(void **state)
{
    (void)state;
    metrics_observe(&metrics, HISTOGRAM_BATCH_SIZE, 1);
    metrics_observe(&metrics, HISTOGRAM_BATCH_SIZE, 2);
    metrics_observe(&metrics, HISTOGRAM_BATCH_SIZE, 3);
    metrics_observe(&metrics, HISTOGRAM_BATCH_SIZE, 10000);
    metrics_observe_many(&metrics, HISTOGRAM_BATCH_SIZE, 10001, 2);
    metrics_observe_many(&metrics, HISTOGRAM_SETTLE_LAG_SECONDS, 0.25, 4);
    metrics_observe(&metrics, HISTOGRAM_SETTLE_LAG_SECONDS, -5);
    metrics_observe(&metrics, HISTOGRAM_SETTLE_LAG_SECONDS, NAN);
    metrics_observe(&metrics, HISTOGRAM_SETTLE_LAG_SECONDS, 86400);
    metrics_observe_many(&metrics, HISTOGRAM_SETTLE_LAG_SECONDS, 1, 0);
    render();
    assert_line("# TYPE bursar_batch_size histogram");
    assert_line("bursar_batch_size_bucket{le=\"1\"} 1");
    assert_line("bursar_batch_size_bucket{le=\"2\"} 2");
    assert_line("bursar_batch_size_bucket{le=\"5\"} 3");
    assert_line("bursar_batch_size_bucket{le=\"5000\"} 3");
    assert_line("bursar_batch_size_bucket{le=\"10000\"} 4");
    assert_line("bursar_batch_size_bucket{le=\"+Inf\"} 6");
    assert_line("bursar_batch_size_sum 30008");
    assert_line("bursar_batch_size_count 6");
    assert_line("bursar_settle_lag_seconds_bucket{le=\"0.001\"} 1");
    assert_line("bursar_settle_lag_seconds_bucket{le=\"0.1\"} 1");
    assert_line("bursar_settle_lag_seconds_bucket{le=\"0.25\"} 5");
    assert_line("bursar_settle_lag_seconds_bucket{le=\"3600\"} 5");
    assert_line("bursar_settle_lag_seconds_bucket{le=\"+Inf\"} 6");
    assert_line("bursar_settle_lag_seconds_sum 86401");
    assert_line("bursar_commit_seconds_bucket{le=\"0.0005\"} 0");
    assert_line("bursar_commit_seconds_bucket{le=\"10\"} 0");
    assert_line("bursar_commit_seconds_count 0");
}

static void test_the_version_is_told(void **state)
{
    (void)state;
    render();
    assert_line("bursar_build_info{version=\"" BURSAR_VERSION "\"} 1");
}

/* Every series has a family, each family is on the page once, in one piece. */
static void test_families(void **state)
{
    (void)state;
    for (enum metric metric = METRIC_COMPONENT_UP_BROKER; metric < METRIC_COUNT; metric++) {
        metrics_set(&metrics, metric, 1);
    }
    render();
    size_t count;
    const struct metric_family *families = metrics_families(&count);
    assert_int_equal(count, 26);
    const char *before = page.data;
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(families[i].name, "bursar_", 7);
        assert_int_equal(families[i].help[strlen(families[i].help) - 1], '.');
        char type[200];
        snprintf(type, sizeof type, "# TYPE %s %s", families[i].name, families[i].type);
        assert_line(type);
        const char *at = strstr(page.data, type);
        assert_true(at > before || i == 0);
        assert_null(strstr(at + 1, type));
        before = at;
    }
}

static void test_promtool_finds_no_fault(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null") != 0) {
        print_message("SKIPPED: promtool (Debian: prometheus) is not installed\n");
        skip();
    }
    for (int known = 0; known < 2; known++) {
        if (known == 1) {
            metrics_observe(&metrics, HISTOGRAM_COMMIT_SECONDS, 0.003);
            for (enum metric metric = METRIC_COMPONENT_UP_BROKER; metric < METRIC_COUNT; metric++) {
                metrics_set(&metrics, metric, 1732263296.5);
            }
        }
        render();
        FILE *check = popen("promtool check metrics >&2", "w");
        assert_non_null(check);
        assert_int_equal(fwrite(page.data, 1, page.size, check), page.size);
        assert_int_equal(pclose(check), 0);
    }
}

static void *write_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        metrics_add(&metrics, METRIC_DEDUCTIONS_SETTLED, 1);
        metrics_set(&metrics, METRIC_DELIVERIES_HELD, i);
        metrics_observe(&metrics, HISTOGRAM_COMMIT_SECONDS, 0.5);
    }
    return NULL;
}

static void test_writing_while_rendering(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (int i = 0; i < 50; i++) render();
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    render();
    assert_line("bursar_deductions_total{outcome=\"settled\"} 60000");
    assert_line("bursar_commit_seconds_count 60000");
    assert_line("bursar_commit_seconds_sum 30000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_counters, set_up),
        cmocka_unit_test_setup(test_gauges, set_up),
        cmocka_unit_test_setup(test_what_is_held_is_told_while_it_consumes, set_up),
        cmocka_unit_test_setup(test_histograms, set_up),
        cmocka_unit_test_setup(test_the_version_is_told, set_up),
        cmocka_unit_test_setup(test_families, set_up),
        cmocka_unit_test_setup(test_promtool_finds_no_fault, set_up),
        cmocka_unit_test_setup(test_writing_while_rendering, set_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_free(&page);
    return failed;
}
