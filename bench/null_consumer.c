/* The peer that Bursar is measured against: a consumer that does nothing. It reads `count` messages of a
 * queue with rabbitmq-c as plainly as that can be done, acknowledges each 500, and prints the seconds from
 * its first delivery to its last acknowledgement.
 *
 *   null_consumer HOST PORT QUEUE COUNT PREFETCH */
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ACK_EACH 500

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Since the exec, unlike what getrusage says: that counts the process that forked this one. */
static long peak_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long peak = 0;
    while (status != NULL && fgets(line, sizeof line, status) != NULL) sscanf(line, "VmHWM: %ld", &peak);
    if (status != NULL) fclose(status);
    return peak;
}

static void check(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "null_consumer: %s failed\n", what);
    exit(1);
}

static amqp_connection_state_t connect_to(const char *host, int port, const char *queue, uint16_t prefetch)
{
    amqp_connection_state_t connection = amqp_new_connection();
    check(amqp_socket_open(amqp_tcp_socket_new(connection), host, port) == AMQP_STATUS_OK, "connect");
    check(amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
              AMQP_RESPONSE_NORMAL,
          "login");
    amqp_channel_open(connection, 1);
    check(amqp_get_rpc_reply(connection).reply_type == AMQP_RESPONSE_NORMAL, "channel");
    amqp_basic_qos(connection, 1, 0, prefetch, 0);
    amqp_basic_consume(connection, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check(amqp_get_rpc_reply(connection).reply_type == AMQP_RESPONSE_NORMAL, "consume");
    return connection;
}

int main(int argc, char **argv)
{
    check(argc == 6, "usage: null_consumer HOST PORT QUEUE COUNT PREFETCH;");
    long count = atol(argv[4]);
    amqp_connection_state_t connection = connect_to(argv[1], atoi(argv[2]), argv[3], (uint16_t)atoi(argv[5]));
    double began = 0;
    for (long i = 1; i <= count; i++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        check(amqp_consume_message(connection, &envelope, NULL, 0).reply_type == AMQP_RESPONSE_NORMAL,
              "consume");
        if (i == 1) began = now();
        if (i % ACK_EACH == 0 || i == count) amqp_basic_ack(connection, 1, envelope.delivery_tag, 1);
        amqp_destroy_envelope(&envelope);
    }
    printf("%.6f %ld\n", now() - began, peak_kib());
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection);
    return 0;
}
