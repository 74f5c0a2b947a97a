#!/bin/sh
# Create the user with which the checks read RabbitMQ: rabbitmq.sh [USER [VHOST [publish]]]
#
#   VEZA_CHECKS_PASSWORD=$(openssl rand -hex 16) ./rabbitmq.sh veza_checks /
#   VEZA_CHECKS_PASSWORD=$(openssl rand -hex 16) ./rabbitmq.sh veza_actions / publish
#
# Run it where rabbitmqctl works; set RABBITMQCTL to use another path. Run it again to change the
# password. The user has access to the virtual host and no permission in it. That is enough for a
# passive declaration, the only thing that the checks do by AMQP. The tag "monitoring" gives read
# access to the management API (alarms, rates). With it, the user can also see the names of all
# virtual hosts, connections and queues.
#
# With "publish" it is the user of `python -m actions`: it can publish to the queues of the virtual
# host through the default exchange, and has neither another right in it nor the management API.
set -eu
user=${1:-veza_checks}
vhost=${2:-/}
case ${3:-} in
    '') tag=monitoring write='^$' ;;
    publish) tag='' write='^amq\.default$' ;;
    *) echo "rabbitmq.sh: the third argument is publish, or left out" >&2; exit 2 ;;
esac
ctl=${RABBITMQCTL:-rabbitmqctl}
: "${VEZA_CHECKS_PASSWORD:?set it in the environment}"

# On standard input, because other users can see arguments in the list of processes.
if "$ctl" --quiet list_users --no-table-headers | cut -f 1 | grep -Fqx -e "$user"; then
    printf '%s\n' "$VEZA_CHECKS_PASSWORD" | "$ctl" --quiet change_password "$user"
else
    printf '%s\n' "$VEZA_CHECKS_PASSWORD" | "$ctl" --quiet add_user "$user"
fi
"$ctl" --quiet set_user_tags "$user" ${tag:+"$tag"}
# The three patterns are configure, write, read. `^$` matches no name.
"$ctl" --quiet set_permissions --vhost "$vhost" "$user" '^$' "$write" '^$'
