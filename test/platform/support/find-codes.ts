import ts from 'typescript';

/** A program's text by its path. */
export type Sources = ReadonlyMap<string, string>;

/** A code and the kind of error it is thrown with. */
export type CodeInSource = { kind: string; code: string };

/**
 * The codes of all `new DomainError(kind, code, …)`: literals, a parameter of the function around them, whose calls are
 * then looked at, or the labels of its `switch`. Throws for a code that is named in yet another way.
 */
export function findCodes(sources: Sources): CodeInSource[] {
  const files = [...sources].map(([path, text]) => parse(path, text));
  return files.flatMap(thrown).flatMap((error) => {
    const [kind, code] = error.arguments ?? [];
    if (!kind || !ts.isStringLiteral(kind) || !code) throw unreadable(error);
    return valuesOf(code, files).map((value) => ({ kind: kind.text, code: value }));
  });
}

/**
 * What a payment fails with where the provider gives no name of its own: `code` of what is `failed`, and what
 * `failureCode` returns. Why a refund fails is not told outside.
 */
export function findFailureCodes(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) =>
    allOf(parse(path, text), ts.isStringLiteral)
      .filter((literal) => isFailureCode(literal) && !functionsAround(literal).some(isAboutRefunds))
      .map((literal) => literal.text),
  );
}

function isFailureCode(literal: ts.StringLiteral): boolean {
  const isPassedOn = (node: ts.Node): boolean =>
    ts.isBinaryExpression(node) || ts.isConditionalExpression(node);
  const role = ts.findAncestor(literal.parent, (node) => !isPassedOn(node));
  if (!role) return false;
  if (ts.isReturnStatement(role))
    return functionsAround(literal).some((around) => nameOf(around) === 'failureCode');
  if (!ts.isPropertyAssignment(role) || role.name.getText() !== 'code') return false;
  return role.parent.properties.some((member) => /^status: 'failed'$/.test(member.getText()));
}

const isAboutRefunds = (around: ts.FunctionLikeDeclaration): boolean => /refund/i.test(nameOf(around) ?? '');

function thrown(file: ts.SourceFile): ts.NewExpression[] {
  return allOf(file, ts.isNewExpression).filter(({ expression }) => expression.getText() === 'DomainError');
}

/** What an expression may be, wherever it is read from. */
function valuesOf(expression: ts.Expression, files: ts.SourceFile[]): string[] {
  if (ts.isStringLiteralLike(expression)) return [expression.text];
  if (ts.isTemplateExpression(expression)) {
    const [span, more] = expression.templateSpans;
    if (!span || more) throw unreadable(expression);
    return valuesOf(span.expression, files).map((value) => expression.head.text + value + span.literal.text);
  }
  if (!ts.isIdentifier(expression)) throw unreadable(expression);
  for (const around of functionsAround(expression)) {
    const place = placeOf(expression.text, around);
    if (!place) continue;
    const labels = labelsFor(expression, around);
    if (labels.length > 0) return labels;
    const given = callsOf(around, files).flatMap((call) => {
      const value = argumentAt(call, place);
      if (!value) throw unreadable(call);
      return valuesOf(value, files);
    });
    if (given.length > 0) return given;
  }
  throw unreadable(expression);
}

type Place = { index: number; member: string | undefined };

/** Where a function takes what it calls `name`: as a parameter, or as a member of one. */
function placeOf(name: string, { parameters }: ts.FunctionLikeDeclaration): Place | undefined {
  for (const [index, { name: parameter }] of parameters.entries()) {
    if (ts.isIdentifier(parameter)) {
      if (parameter.text === name) return { index, member: undefined };
    } else if (
      parameter.elements.some((element) => ts.isBindingElement(element) && element.name.getText() === name)
    ) {
      return { index, member: name };
    }
  }
  return undefined;
}

function argumentAt(call: ts.CallExpression, { index, member }: Place): ts.Expression | undefined {
  const given = call.arguments[index];
  if (!given || member === undefined) return given;
  if (!ts.isObjectLiteralExpression(given)) return undefined;
  const found = given.properties.find((property) => property.name?.getText() === member);
  return found && ts.isPropertyAssignment(found) ? found.initializer : undefined;
}

/** In `switch (code)` the labels of the cases that throw it, by themselves or through a function within. */
function labelsFor(code: ts.Identifier, around: ts.FunctionLikeDeclaration): string[] {
  const helpers = functionsAround(code).map(nameOf);
  return allOf(around, ts.isSwitchStatement)
    .filter(({ expression }) => expression.getText() === code.text)
    .flatMap(({ caseBlock }) => {
      let labels: string[] = [];
      return caseBlock.clauses.flatMap((clause) => {
        if (ts.isCaseClause(clause) && ts.isStringLiteral(clause.expression))
          labels.push(clause.expression.text);
        if (clause.statements.length === 0) return [];
        const own = labels;
        labels = [];
        const throwsIt = allOf(clause, ts.isIdentifier).some(
          (node) => node === code || (isCalled(node) && helpers.includes(node.text)),
        );
        return throwsIt ? own : [];
      });
    });
}

function callsOf(called: ts.FunctionLikeDeclaration, files: ts.SourceFile[]): ts.CallExpression[] {
  const name = nameOf(called);
  const isExported =
    ts.canHaveModifiers(called) &&
    (ts.getModifiers(called) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  return (isExported ? files : [called.getSourceFile()])
    .flatMap((file) => allOf(file, ts.isCallExpression))
    .filter(({ expression }) => ts.isIdentifier(expression) && expression.text === name);
}

const isCalled = (node: ts.Identifier): boolean =>
  ts.isCallExpression(node.parent) && node.parent.expression === node;

/** The functions around a node, the innermost first. */
function functionsAround(node: ts.Node): ts.FunctionLikeDeclaration[] {
  const around: ts.FunctionLikeDeclaration[] = [];
  for (let at: ts.Node | undefined = node.parent; at; at = at.parent) {
    if (ts.isFunctionLike(at) && 'body' in at) around.push(at as ts.FunctionLikeDeclaration);
  }
  return around;
}

function nameOf(declaration: ts.FunctionLikeDeclaration): string | undefined {
  const { name, parent } = declaration;
  if (name) return name.getText();
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)
    ? parent.name.getText()
    : undefined;
}

function allOf<T extends ts.Node>(root: ts.Node, is: (node: ts.Node) => node is T): T[] {
  const found: T[] = [];
  const visit = (node: ts.Node): void => {
    if (is(node)) found.push(node);
    node.forEachChild(visit);
  };
  visit(root);
  return found;
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function unreadable(node: ts.Node): Error {
  const { fileName } = node.getSourceFile();
  return new Error(`${fileName}: no code can be read from ${node.getText()}`);
}
