/** Why nothing can listen on `host` and `port`, and which variable sets that. */
export function listenError(
  error: NodeJS.ErrnoException,
  address: { host: string; port: number; variable: string },
): Error {
  const { host, port, variable } = address;
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(`Port ${port} is in use by another program; set ${variable} to a free one.`);
    case 'EACCES':
      return new Error(
        `This user has no permission to listen on port ${port} (EACCES); set ${variable} to 1024 or above.`,
      );
    default:
      return new Error(`Nothing can listen on ${host} port ${port} (${error.code ?? error.message}).`);
  }
}
