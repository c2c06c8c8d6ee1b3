/**
 * No value is looked up in a plain object by a name of any text: `fates['toString']` is a function that nobody put there.
 * Such names are keys of a `Map`. The compiler knows which names can be any text, so it is asked about every look-up.
 */
import assert from 'node:assert/strict'
import { relative } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import {
  isAsExpression,
  isBinaryExpression,
  isBindingElement,
  isComputedPropertyName,
  isElementAccessExpression,
  isNonNullExpression,
  isParenthesizedExpression,
} from 'typescript/unstable/ast/is'
import { API, type Checker, type Type, TypeFlags } from 'typescript/unstable/sync'

const root = new URL('../..', import.meta.url).pathname
/** What answers requests, or is shown to people. */
const folders = ['src', 'emails', 'web', 'client/src', 'tools/mailbox']
const projects = ['tsconfig.json', 'web/tsconfig.json', 'client/tsconfig.json', 'tools/tsconfig.json']

const api = new API({ cwd: root })
after(() => api.close())

interface LookUp {
  name: Node
  /** Where the name is looked up; none for a pattern, whose source is elsewhere. */
  table: Node | undefined
}

function lookUpIn(node: Node): LookUp | undefined {
  if (isElementAccessExpression(node)) return { name: node.argumentExpression, table: node.expression }
  if (isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.InKeyword) {
    return { name: node.left, table: node.right }
  }
  if (isBindingElement(node) && node.propertyName && isComputedPropertyName(node.propertyName)) {
    return { name: node.propertyName.expression, table: undefined }
  }
  return undefined
}

/** The expression below casts, which only claim that a name is one of a list. */
function withoutCasts(node: Node): Node {
  const isCast = isAsExpression(node) || isNonNullExpression(node) || isParenthesizedExpression(node)
  return isCast ? withoutCasts(node.expression) : node
}

const anyText = TypeFlags.String | TypeFlags.TemplateLiteral | TypeFlags.Any | TypeFlags.Unknown

function isAnyText(type: Type | undefined): boolean {
  if (!type) return true
  return type.isUnionType() ? type.getTypes().some(isAnyText) : (type.flags & anyText) !== 0
}

function isList(checker: Checker, table: Node | undefined): boolean {
  const type = table && checker.getTypeAtLocation(table)
  return type !== undefined && checker.isArrayLikeType(type)
}

function lookUpsByAnyText(config: string): string[] {
  const snapshot = api.updateSnapshot({ openProjects: [`${root}${config}`] })
  const project = snapshot.getProject(`${root}${config}`)
  assert.ok(project, config)
  const { checker, program } = project
  const found: string[] = []
  const paths = program.getSourceFileNames().filter((path) => {
    const own = relative(root, path)
    return folders.some((folder) => own.startsWith(`${folder}/`)) && !own.endsWith('.d.ts')
  })
  for (const path of paths) {
    const file = program.getSourceFile(path)
    const visit = (node: Node): void => {
      const lookUp = lookUpIn(node)
      if (lookUp && !isList(checker, lookUp.table) && isAnyText(checker.getTypeAtLocation(withoutCasts(lookUp.name)))) {
        found.push(`${relative(root, path)}: ${node.getText()}`)
      }
      node.forEachChild(visit)
    }
    file?.forEachChild(visit)
  }
  return found
}

describe('no name of any text is looked up in a plain object', () => {
  for (const config of projects) {
    test(config, () => assert.deepEqual(lookUpsByAnyText(config), []))
  }
})
