import { createProvider } from '../domain/payments/create-provider.ts';
import { createMailer } from '../platform/mail.ts';
import { runProcess } from '../process/run-process.ts';
import { runBackground } from '../workers/run-background.ts';

await runProcess('background', async (services, signal) => {
  const { config } = services;
  const db = await services.openDb('DATABASE_URL');
  const relay = await services.openDb('DATABASE_RELAY_URL');
  const spare = await services.openDb('DATABASE_URL', 2);
  const pulse = await services.openDb('DATABASE_URL', 1);
  await services.keepTime(pulse);
  const bus = await services.openBus();
  const payments = createProvider({ ...services, db });
  const from = config.MAIL_FROM;
  const sendMail = createMailer(
    config.SMTP_URL ? { from, smtpUrl: config.SMTP_URL } : { from, folder: config.MAIL_FOLDER as string },
  );
  await runBackground({ ...services, db, relay, spare, pulse, bus, payments, sendMail }, signal);
});
