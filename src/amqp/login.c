#include "amqp/login.h"

#include "amqp/socket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#define FRAME_MAX 131072

/* A declaration of a quorum queue elects a leader first. */
#define CALL_TIMEOUT_S 15

static struct timeval connect_timeout(const struct broker_settings *settings)
{
    int ms = settings->connect_timeout_ms;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

#if BROKER_HAS_TLS
static const char *system_bundle(void)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    const char *chosen = getenv("SSL_CERT_FILE");
    for (size_t i = 0; chosen == NULL && i < sizeof bundles / sizeof bundles[0]; i++)
        if (access(bundles[i], R_OK) == 0) chosen = bundles[i];
    return chosen;
}

static enum status connect_tls(struct broker_link *link, char *reason, size_t size)
{
    const struct broker_url *host = link->host;
    amqp_socket_t *socket = amqp_ssl_socket_new(link->state);
    if (socket == NULL) {
        snprintf(reason, size, "no TLS socket can be made");
        return STATUS_RETRY;
    }
    amqp_ssl_socket_set_verify_peer(socket, host->verify_peer);
    amqp_ssl_socket_set_verify_hostname(socket, host->verify_peer);
    const char *authorities = host->ca_file != NULL ? host->ca_file : system_bundle();
    if (host->verify_peer && authorities != NULL &&
        amqp_ssl_socket_set_cacert(socket, authorities) != AMQP_STATUS_OK) {
        snprintf(reason, size, "cannot read the certificates of authorities in %s", authorities);
        return STATUS_CONFIG;
    }
    if (host->certificate_file != NULL &&
        amqp_ssl_socket_set_key(socket, host->certificate_file, host->key_file) != AMQP_STATUS_OK) {
        snprintf(reason, size, "cannot read the certificate in %s or its key in %s", host->certificate_file,
                 host->key_file);
        return STATUS_CONFIG;
    }
    const struct timeval timeout = connect_timeout(link->settings);
    int code = amqp_socket_open_noblock(socket, host->host, host->port, &timeout);
    if (code == AMQP_STATUS_OK) return STATUS_OK;
    bool untrusted =
        code == AMQP_STATUS_SSL_PEER_VERIFY_FAILED || code == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED;
    snprintf(reason, size, "%s%s", amqp_error_string2(code),
             untrusted ? "; name the authority that signed the broker's certificate with ?cacertfile=PATH"
                       : "");
    return untrusted ? STATUS_CONFIG : STATUS_RETRY;
}
#else
static enum status connect_tls(struct broker_link *link, char *reason, size_t size)
{
    (void)link;
    snprintf(reason, size, "this rabbitmq-c has no TLS");
    return STATUS_CONFIG;
}
#endif

static enum status connect_plain(struct broker_link *link, char *reason, size_t size)
{
    const struct broker_settings *settings = link->settings;
    int descriptor = -1;
    struct error error;
    enum status status =
        broker_socket_connect(link->host->host, link->host->port, settings->connect_timeout_ms,
                              settings->cancel, &descriptor, &error);
    if (status != STATUS_OK) {
        snprintf(reason, size, "%.400s; is the broker running there?", error.text);
        return status;
    }
    amqp_socket_t *socket = amqp_tcp_socket_new(link->state);
    if (socket == NULL) {
        close(descriptor);
        snprintf(reason, size, "no socket can be made");
        return STATUS_RETRY;
    }
    amqp_tcp_socket_set_sockfd(socket, descriptor);
    return STATUS_OK;
}

enum status broker_login_connect(struct broker_link *link, char *reason, size_t size)
{
    link->state = amqp_new_connection();
    if (link->state == NULL) {
        snprintf(reason, size, "out of memory");
        return STATUS_INTERNAL;
    }
    enum status status =
        link->host->tls ? connect_tls(link, reason, size) : connect_plain(link, reason, size);
    if (status == STATUS_OK) broker_socket_tune(amqp_get_sockfd(link->state), link->settings->heartbeat_s);
    return status;
}

static amqp_table_entry_t entry_string(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t entry_true(const char *key)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

enum status broker_login(struct broker_link *link, struct error *error)
{
    const struct broker_settings *settings = link->settings;
    const struct timeval handshake = connect_timeout(settings);
    const struct timeval call = {.tv_sec = CALL_TIMEOUT_S};
    int code = amqp_set_handshake_timeout(link->state, &handshake);
    if (code == AMQP_STATUS_OK) code = amqp_set_rpc_timeout(link->state, &call);
    assert(code == AMQP_STATUS_OK);

    amqp_table_entry_t abilities[] = {
        entry_true("consumer_cancel_notify"),       entry_true("connection.blocked"),
        entry_true("publisher_confirms"),           entry_true("basic.nack"),
        entry_true("authentication_failure_close"),
    };
    const amqp_table_t ability_table = {.num_entries = sizeof abilities / sizeof abilities[0],
                                        .entries = abilities};
    amqp_table_entry_t properties[] = {
        entry_string("product", "bursar"),
        entry_string("version", BURSAR_VERSION),
        entry_string("connection_name", settings->connection_name),
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = ability_table}},
    };
    const amqp_table_t property_table = {.num_entries = sizeof properties / sizeof properties[0],
                                         .entries = properties};

    amqp_rpc_reply_t reply = amqp_login_with_properties(
        link->state, link->host->vhost, BROKER_CHANNEL, FRAME_MAX, link->heartbeat_s, &property_table,
        AMQP_SASL_METHOD_PLAIN, link->host->user, link->host->password);
    return broker_link_reply(link, reply, "logging in", error);
}
