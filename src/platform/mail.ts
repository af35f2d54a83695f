import { mkdir, writeFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';

export type Mail = { id: string; to: string; subject: string; text: string };

/**
 * Sends one mail; resolves when the server took it.
 * @throws MailRefused when the server will never take it, MailUncertain when it may have; after anything else it did not
 */
export type SendMail = (mail: Mail) => Promise<void>;

export class MailRefused extends Error {}
export class MailUncertain extends Error {}

const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 };

/** Through SMTP, or into files for development: a file per mail, named by its id. */
export function createMailer(
  options: { from: string } & ({ smtpUrl: string } | { folder: string }),
): SendMail {
  const { from } = options;
  if ('smtpUrl' in options) {
    const transport = createTransport({ url: options.smtpUrl, ...TIMEOUTS }, { from });
    return async ({ id, to, subject, text }) => {
      try {
        await transport.sendMail({ to, subject, text, messageId: `<${id}@tessera>` });
      } catch (error) {
        throw judge(error as SmtpError);
      }
    };
  }
  const render = createTransport({ streamTransport: true, buffer: true }, { from });
  return async ({ id, to, subject, text }) => {
    await mkdir(options.folder, { recursive: true });
    const { message } = await render.sendMail({ to, subject, text, messageId: `<${id}@tessera>` });
    await writeFile(`${options.folder}/${id}.eml`, message as Buffer);
  };
}

type SmtpError = Error & { code?: string; syscall?: string; command?: string; responseCode?: number };

/** These end before the server saw anything of the mail. */
const BEFORE = ['EDNS', 'EAUTH', 'ETLS', 'ENOAUTH', 'EOAUTH2'];

/** A server that answered has said what it did; a connection that broke has not, whatever was under way. */
function judge(error: SmtpError): Error {
  const { code = '', syscall, command, responseCode, message } = error;
  const aboutMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (aboutMail && (responseCode === undefined || responseCode >= 500))
    return new MailRefused(message, { cause: error });
  const notSent = responseCode || BEFORE.includes(code) || syscall === 'connect' || command === 'API';
  return notSent ? error : new MailUncertain(message, { cause: error });
}
