import { printParseErrorCode, visit } from 'jsonc-parser';

/** Of each fault what is due there. None of the text is repeated: it may be somebody's name. */
const faults: Record<string, string> = {
  InvalidSymbol: 'there is something that is neither a value nor a sign of JSON',
  InvalidNumberFormat: 'a number is not complete',
  PropertyNameExpected: 'the name of a member in double quotes is due',
  ValueExpected: 'a value is due',
  ColonExpected: 'a colon is due',
  CommaExpected: 'a comma is due',
  CloseBraceExpected: 'a closing brace is due',
  CloseBracketExpected: 'a closing bracket is due',
  EndOfFileExpected: 'there is something behind the end',
  InvalidCommentToken: 'there is a comment, and JSON has none',
  UnexpectedEndOfComment: 'there is a comment, and JSON has none',
  UnexpectedEndOfString: 'a text in double quotes does not end on its line',
  UnexpectedEndOfNumber: 'a number is not complete',
  InvalidUnicode: 'an escape with \\u has no four hexadecimal digits',
  InvalidEscapeCharacter: 'there is no such escape',
  InvalidCharacter: 'a text holds a control character that is not escaped',
};

class Found extends Error {}

/**
 * Where a text that is no JSON stops being some, and what is due there: `line 1, column 9: a comma is due`. Undefined
 * when nothing is found. The search ends at the first fault, so it is linear.
 */
export function findJsonFault(text: string): string | undefined {
  if (text.trim() === '') return 'it is empty';
  let fault: string | undefined;
  try {
    visit(
      text,
      {
        onError: (code, offset, _length, line, column) => {
          const place =
            offset >= text.trimEnd().length ? 'at its end' : `line ${line + 1}, column ${column + 1}`;
          fault = `${place}: ${faults[printParseErrorCode(code)] ?? 'something else is due'}`;
          throw new Found();
        },
      },
      { disallowComments: true, allowTrailingComma: false },
    );
  } catch (error) {
    if (!(error instanceof Found)) throw error;
  }
  return fault;
}
