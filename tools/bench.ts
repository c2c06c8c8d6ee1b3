import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TokenMint } from './bench/access-tokens.ts'
import { type BenchOptions, readOptions } from './bench/arguments.ts'
import { bundleOther, bundleOurs, readBundle } from './bench/bundles.ts'
import { People } from './bench/people.ts'
import { print, summarize } from './bench/report.ts'
import { runRounds } from './bench/rounds.ts'
import { type MeasuredWorker, startServer } from './bench/server.ts'
import { subjectsOf } from './bench/subjects.ts'
import { applyLocalMigrations } from './dev/database.ts'
import { ensureDevVars, readDevVars } from './dev/dev-vars.ts'
import { localVariables } from './dev/local-variables.ts'
import { readLocalServer } from './dev/settings.ts'
import { fillDatabase } from './scale/fill.ts'
import { command } from './command.ts'
import { projectRoot } from './wrangler.ts'

const userCount = 1_000

/** `npm run bench`: the hot calls beside the least that they need, on one runtime. The figures are in docs/performance.md. */
await command(async () => {
  const options = readOptions(process.argv.slice(2))
  const stateDir = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  try {
    const devVarsPath = join(projectRoot, '.dev.vars')
    ensureDevVars(devVarsPath)
    const variables = { ...readDevVars(devVarsPath), ...localVariables(readLocalServer({}), {}) }
    const workers = await bundleWorkers(options, join(stateDir, 'bundle'))
    await applyLocalMigrations(stateDir, new AbortController().signal)
    fillDatabase(stateDir, userCount, devVarsPath)

    const server = await startServer({ stateDir, workers, variables, isInspected: false })
    try {
      const people = new People(stateDir)
      const someone = await people.signIn(server.ports['ours']!)
      const mint = new TokenMint(variables['SIGNING_KEYS']!, someone.access_token)
      const setting = { ports: server.ports, people, mint, someone }
      const { subjects, comparisons } = await subjectsOf(options.only, setting)
      const report = summarize(await runRounds(subjects, server.pid, options), comparisons)
      if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
      console.log(print(report))
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
})

async function bundleWorkers({ against }: BenchOptions, outdir: string): Promise<MeasuredWorker[]> {
  return [
    { name: 'ours', script: await bundleOurs(outdir) },
    ...(against === undefined ? [] : [{ name: 'against', script: readBundle(against) }]),
    { name: 'bare', script: await bundleOther('test/bench/bare/worker.ts') },
    { name: 'empty', script: await bundleOther('test/bench/empty-worker.ts') },
  ]
}
