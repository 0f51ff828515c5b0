#include "redis/redis_tls.h"

#ifdef BURSAR_REDIS_TLS

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

bool redis_tls_available(void)
{
    return true;
}

static bool is_ip_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* hiredis alone would take any certificate that somebody signed: the name is checked here. */
static bool expect_host(SSL *ssl, const char *host)
{
    if (is_ip_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static enum status openssl_failed(const char *what, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return error_set(error, STATUS_RETRY, "%s: %s", what, reason == NULL ? "no reason given" : reason);
}

enum status redis_tls_start(redisContext *context, const char *host, struct error *error)
{
    enum status status = STATUS_OK;
    SSL *ssl = NULL;
    ERR_clear_error();
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    if (settings == NULL || SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_default_verify_paths(settings) != 1) {
        status = openssl_failed("cannot prepare", error);
        goto out;
    }
    SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
    ssl = SSL_new(settings);
    if (ssl == NULL || !expect_host(ssl, host)) {
        status = openssl_failed("cannot prepare", error);
        goto out;
    }
    if (redisInitiateSSL(context, ssl) != REDIS_OK) {
        status = error_set(error, STATUS_RETRY,
                           "%s: is its certificate valid, for this name, and trusted here?", context->errstr);
        goto out;
    }
    ssl = NULL; /* the context's now */
out:
    SSL_free(ssl);
    SSL_CTX_free(settings);
    return status;
}

#else

bool redis_tls_available(void)
{
    return false;
}

enum status redis_tls_start(redisContext *context, const char *host, struct error *error)
{
    (void)context;
    (void)host;
    return error_set(error, STATUS_CONFIG, "this build has no TLS for Redis");
}

#endif
