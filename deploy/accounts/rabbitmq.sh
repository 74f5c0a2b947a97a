#!/bin/sh
# The user that the checks look at RabbitMQ with: rabbitmq.sh [USER [VHOST]]
#
#   VEZA_CHECKS_PASSWORD=$(openssl rand -hex 16) ./rabbitmq.sh veza_checks /
#
# Run it where rabbitmqctl works (RABBITMQCTL names another one). Safe to run again: it changes the
# password then. The user may enter the virtual host and do nothing in it: a passive declaration, all
# that the checks do by AMQP, needs no more. The tag monitoring opens the management API for reading
# (alarms, rates); it lets the user see the names of all virtual hosts, connections and queues.
set -eu
user=${1:-veza_checks}
vhost=${2:-/}
ctl=${RABBITMQCTL:-rabbitmqctl}
: "${VEZA_CHECKS_PASSWORD:?set it in the environment}"

# On the standard input: an argument could be read in the list of processes.
if "$ctl" --quiet list_users --no-table-headers | cut -f 1 | grep -Fqx -e "$user"; then
    printf '%s\n' "$VEZA_CHECKS_PASSWORD" | "$ctl" --quiet change_password "$user"
else
    printf '%s\n' "$VEZA_CHECKS_PASSWORD" | "$ctl" --quiet add_user "$user"
fi
"$ctl" --quiet set_user_tags "$user" monitoring
# In this order: configure, write, read. `^$` is the name of nothing.
"$ctl" --quiet set_permissions --vhost "$vhost" "$user" '^$' '^$' '^$'
