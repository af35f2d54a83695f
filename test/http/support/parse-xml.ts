export type XmlElement = {
  name: string;
  attributes: Record<string, string>;
  text: string;
  children: XmlElement[];
};

const NAME = '[A-Za-z_][\\w.-]*';
/** A tag, or a stretch of text. Comments, CDATA, doctypes and instructions are not known here, so they are faults. */
const TOKEN = new RegExp(`<(/?)(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>|([^<]+)`, 'y');
const ATTRIBUTE = new RegExp(`(${NAME})="([^"]*)"`, 'g');
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 has no place for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** Reads the plain XML that we write ourselves, and throws on whatever is not well-formed. */
export function parseXml(source: string): XmlElement {
  const forbidden = FORBIDDEN.exec(source);
  if (forbidden) throw new Error(`a character that XML does not know at ${forbidden.index}`);
  const root: XmlElement = { name: '', attributes: {}, text: '', children: [] };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(source);
    const top = open.at(-1);
    if (!token || !top) throw new Error(`no XML at ${at}: ${source.slice(at, at + 60)}`);
    const [, closes, name = '', attributes = '', empty, text] = token;
    if (text !== undefined) top.text += decode(text);
    else if (closes) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes something else at ${at}`);
    } else {
      const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key = '', value = '']) => [
        key,
        decode(value),
      ]);
      const element = { name, attributes: Object.fromEntries(pairs), text: '', children: [] };
      top.children.push(element);
      if (!empty) open.push(element);
    }
  }
  const [only] = root.children;
  if (open.length !== 1 || !only || root.children.length > 1 || root.text.trim() !== '') {
    throw new Error('there is not exactly one element');
  }
  return only;
}

function decode(text: string): string {
  return text.replace(/&([^;]*);?/g, (entity, name: string) => {
    const character = ENTITIES[name];
    if (character === undefined || !entity.endsWith(';'))
      throw new Error(`an entity that is none: ${entity}`);
    return character;
  });
}
