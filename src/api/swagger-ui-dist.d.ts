/** The package carries no types; this is what we use of it. */
declare module 'swagger-ui-dist' {
  export function absolutePath(): string;
}
