/** Ignores the reasons of refusals: they are hints for programmers in the log, and no client can observe them. */
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin'

/** The properties of a Babel node that are used here. */
interface Syntax {
  type: string
  name?: string
  callee?: Syntax
  key?: Syntax
  properties?: Syntax[]
}

interface SyntaxPath {
  node: Syntax
  parent?: Syntax
  parentPath?: SyntaxPath | null
  listKey?: string
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'unobservable', {
    shouldIgnore: (path: SyntaxPath) => (isReason(path) ? 'a reason for programmers' : undefined),
  }),
]

/** Whether a node is an argument of `invalidToken(…)` or the `reason` of a `new AppError(…)`. */
function isReason({ node, parent, parentPath, listKey }: SyntaxPath): boolean {
  if (listKey === 'arguments' && parent?.callee?.name === 'invalidToken') return true
  if (parent?.callee?.name === 'AppError') return node.properties?.every(isCalledReason) === true
  return (
    node.type === 'ObjectProperty' && isCalledReason(node) && parentPath?.parentPath?.node.callee?.name === 'AppError'
  )
}

function isCalledReason({ key }: Syntax): boolean {
  return key?.name === 'reason'
}
