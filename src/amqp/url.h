/* The URLs of a broker's hosts. */
#ifndef BURSAR_AMQP_URL_H
#define BURSAR_AMQP_URL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct broker_url {
    char *user, *password, *host, *vhost; /* owned, decoded */
    int port;
    bool tls;
    bool verify_peer;
    char *ca_file, *certificate_file, *key_file; /* owned; NULL: not given */
};

struct broker_url_list {
    struct broker_url *urls; /* owned */
    size_t count;
};

/* STATUS_CONFIG: what is wrong with which entry, without quoting it. On an error the list is empty. */
MUST_CHECK enum status broker_url_list_parse(const char *text, struct broker_url_list *list,
                                             struct error *error);

void broker_url_list_free(struct broker_url_list *list);

#endif
