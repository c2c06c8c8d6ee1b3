import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TokenMint } from './bench/access-tokens.ts'
import { type BenchOptions, type CallName, readOptions, isCall } from './bench/arguments.ts'
import { measureBesideSignIns } from './bench/beside-sign-ins.ts'
import type { Setting } from './bench/clients.ts'
import { runLoad } from './bench/load.ts'
import { People } from './bench/people.ts'
import { heaviest, profileWhile } from './bench/profile.ts'
import { type Report, print, summarize } from './bench/report.ts'
import { runRounds } from './bench/rounds.ts'
import { type MeasuredWorker, type Server, startServer } from './bench/server.ts'
import { measureStarts } from './bench/start.ts'
import { subjectsOf } from './bench/subjects.ts'
import { bundleWorkers } from './bench/workers.ts'
import { applyLocalMigrations } from './dev/database.ts'
import { ensureDevVars, readDevVars } from './dev/dev-vars.ts'
import { localVariables } from './dev/local-variables.ts'
import { readLocalServer } from './dev/settings.ts'
import { fillDatabase } from './scale/fill.ts'
import { command } from './command.ts'
import { projectRoot } from './wrangler.ts'

const userCount = 1_000

/**
 * `npm run bench`: the hot calls, compared with the least work that they need, on one runtime. The figures are in
 * docs/performance.md.
 */
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

    const server = await startServer({ stateDir, workers, variables, isInspected: options.profile !== undefined })
    try {
      const people = new People(stateDir)
      const someone = await people.signIn(server.ports['ours']!)
      const mint = new TokenMint(variables['SIGNING_KEYS']!, someone.access_token)
      const setting = { ports: server.ports, people, mint, someone }
      await (options.profile === undefined
        ? measure(options, server, setting, workers)
        : profile(options.profile, options.seconds, server, setting))
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
})

async function measure(
  options: BenchOptions,
  server: Server,
  setting: Setting,
  workers: readonly MeasuredWorker[],
): Promise<void> {
  const { only, seconds, json } = options
  const own = workers.filter(({ name }) => name === 'ours' || name === 'against')
  const { subjects, comparisons } = await subjectsOf(only.filter(isCall), setting)
  const report: Report = {
    ...summarize(await runRounds(subjects, server.pid, options), comparisons),
    beside: [],
    starts: only.includes('start') ? await measureStarts(own) : [],
  }
  if (only.includes('beside')) {
    for (const { name } of own) report.beside.push(await measureBesideSignIns(setting, name, seconds))
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
  console.log(print(report))
}

async function profile(call: CallName, seconds: number, server: Server, setting: Setting): Promise<void> {
  const [subject] = (await subjectsOf([call], setting)).subjects
  await runLoad(subject!, seconds)
  const path = join(projectRoot, 'reports', `${call}.cpuprofile`)
  const profile = await profileWhile(server.inspector!, 'ours', path, () => runLoad(subject!, 2 * seconds))
  for (const { name, share } of heaviest(profile, 30)) console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${name}`)
  console.log(path)
}
