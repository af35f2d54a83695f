/**
 * Why the broker at `url` lets us in neither now nor later, in a sentence without the password; undefined when `error` is
 * of the kind that passes by itself, such as a broker that is away.
 */
export function brokerRefusal(error: Error, url: string): string | undefined {
  const { host, username, pathname } = new URL(url);
  const user = `user "${decodeURIComponent(username) || 'guest'}"`;
  const vhost = `virtual host "${decodeURIComponent(pathname.slice(1)) || '/'}"`;
  const { message } = error;
  if (/ACCESS_REFUSED - Login was refused/.test(message)) {
    return `RabbitMQ at ${host} does not know the ${user} with this password (AMQP_URL).`;
  }
  // The client keeps to itself what the broker says when it closes a connection instead of opening it.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(message)) {
    return `RabbitMQ at ${host} has no ${vhost}, or the ${user} may not use it (AMQP_URL).`;
  }
  const [, refused] = /ACCESS_REFUSED - ([^"]*)/.exec(message) ?? [];
  if (refused) return `RabbitMQ at ${host} refuses the ${user} in ${vhost} what it needs: ${refused}.`;
  return undefined;
}
