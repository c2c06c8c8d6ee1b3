/** The commands of going back, and of rotating a key after it, as the document writes them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { addVersion } from './support/fake-account.ts'
import { type Runbook, commandsOf, openRunbook } from './support/runbook.ts'

const timeout = 600_000
let runbook: Runbook

before(async () => {
  runbook = await openRunbook('runbooks')
})
after(() => runbook?.close())

test('the rollback, the rotation after it, and a rollback that is refused since', { timeout }, async () => {
  const { account, home, perform } = runbook
  const [good] = [addVersion(account, false), addVersion(account, false)]
  const commands = commandsOf('Rolling back')
  const afterRollback = commands.splice(commands.indexOf('npm run rollback') + 1)
  await perform('npm run rollback')
  assert.equal(account.deployments.at(-1), good)

  const rotation = afterRollback.at(-1) ?? ''
  assert.match(rotation, /^npm run keys -- rotate TOKEN_KEYS .*--upload$/)
  const old = account.secrets?.['TOKEN_KEYS']
  await assert.rejects(perform(rotation), /First check out the code that is deployed and run `npm run deploy`/)
  assert.equal(account.secrets?.['TOKEN_KEYS'], old)
  for (const command of afterRollback) await perform(command)
  const { TOKEN_KEYS: kept } = JSON.parse(readFileSync(join(home, 'postern-secrets.json'), 'utf8'))
  assert.notEqual(kept, old)
  assert.equal(account.secrets?.['TOKEN_KEYS'], kept)

  const state = structuredClone({ ...account, databases: [] })
  await assert.rejects(perform('npm run rollback'), /has other secrets/)
  assert.deepEqual({ ...account, databases: [] }, state)
  // The first way that the section names works all the same.
  for (const command of commands.slice(0, -1)) await perform(command)
  assert.equal(account.secrets?.['TOKEN_KEYS'], kept)
})
