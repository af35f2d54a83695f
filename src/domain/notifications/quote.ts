/**
 * Words that somebody typed, as one line of a mail: in quotes, without control characters, and with nothing in it that a
 * mail program makes a link of. Rules for what is typed came later than some of what is stored.
 */
export function quote(words: string): string {
  const line = words
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\p{Cf}/gu, '')
    .replaceAll('"', "'")
    .replace(/:\/\//g, ': //')
    .replace(/(?<=\S)@(?=\S)/g, ' @ ')
    .replace(/(?<=[\p{L}\p{N}-])\.(?=[\p{L}\p{N}-])/gu, '. ')
    .trim();
  return `"${line}"`;
}
