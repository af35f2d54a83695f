import { expect, it } from 'vitest';
import { quote } from '../../src/domain/notifications/quote.ts';

it.each([
  ['Ada Lovelace', '"Ada Lovelace"'],
  ['Ada\r\nBcc: all', '"Ada Bcc: all"'],
  ['Ada\u2028next\u0000line', '"Ada next line"'],
  ['a "good" name', `"a 'good' name"`],
  ['https://evil.example/pay', '"https: //evil. example/pay"'],
  ['www.evil.com', '"www. evil. com"'],
  ['pay@evil.example', '"pay @ evil. example"'],
  ['\u202egpj.exe', '"gpj. exe"'],
  ['J.R.R. Tolkien', '"J. R. R. Tolkien"'],
])('%j is quoted as data', (words, quoted) => {
  expect(quote(words)).toBe(quoted);
});
