/** Left as they are: the reasons of refusals, which stand in no answer, no row and no line of the log. */
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin'

/** What we look at of a node of Babel's. */
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

/** `invalidToken(…)`, `new AppError(…, { reason: … })` alone, or `reason: …` among other things that an `AppError` is given. */
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
