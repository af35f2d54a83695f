import { mkdir, writeFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';

export type Mail = { id: string; to: string; subject: string; text: string };

/** Sends one mail; a mail of the same id may arrive twice after a crash, never be lost. */
export type SendMail = (mail: Mail) => Promise<void>;

/** Through SMTP, or into files for development: a file per mail, named by its id. */
export function createMailer(
  options: { from: string } & ({ smtpUrl: string } | { folder: string }),
): SendMail {
  const { from } = options;
  if ('smtpUrl' in options) {
    const transport = createTransport(options.smtpUrl, { from });
    return async ({ id, to, subject, text }) => {
      await transport.sendMail({ to, subject, text, messageId: `<${id}@tessera>` });
    };
  }
  const render = createTransport({ streamTransport: true, buffer: true }, { from });
  return async ({ id, to, subject, text }) => {
    await mkdir(options.folder, { recursive: true });
    const { message } = await render.sendMail({ to, subject, text, messageId: `<${id}@tessera>` });
    await writeFile(`${options.folder}/${id}.eml`, message as Buffer);
  };
}
