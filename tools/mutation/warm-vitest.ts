/**
 * A vitest whose tests stay loaded in workerd and run once for each job. `test/mutation/loop.ts` is its counterpart.
 */
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Vitest, createVitest } from 'vitest/node'
import type { Job, Report } from '../../test/mutation/protocol.ts'

export interface WarmVitest {
  /** Runs one job. Returns `undefined` when the tests cannot be loaded. */
  run: (job: Job) => Promise<Report | undefined>
  close: () => Promise<void>
}

export async function startWarmVitest(testFiles: string[]): Promise<WarmVitest> {
  let askedForJob = Promise.withResolvers<ServerResponse>()
  let reported = Promise.withResolvers<Report>()
  let running: Promise<unknown> | undefined

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const report = JSON.parse(await text(request)) as Report | null
    if (report) reported.resolve(report)
    askedForJob.resolve(response)
  }
  const server = createServer((request, response) => void take(request, response))
  const vitest = await createVitest('test', {
    config: 'test/vitest.config.ts',
    watch: false,
    reporters: [{}],
    silent: true,
    // A worker that files share asks for a runner for each file, and the jobs are given to one.
    isolate: true,
    maxWorkers: 1,
    include: ['test/mutation/every-test.ts'],
    runner: './test/mutation/loop.ts',
    provide: { mutation: { url: await listen(server), testFiles } },
  })

  async function run(job: Job): Promise<Report | undefined> {
    running ??= load(vitest)
    const over = running.then(() => undefined)
    const worker = await Promise.race([askedForJob.promise, over])
    if (worker) {
      askedForJob = Promise.withResolvers()
      reported = Promise.withResolvers()
      worker.end(JSON.stringify(job))
    }
    const report = worker && (await Promise.race([reported.promise, over]))
    if (!report) await unload()
    return report
  }

  async function unload(): Promise<void> {
    if (!running) return
    const worker = await Promise.race([askedForJob.promise, running.then(() => undefined)])
    worker?.end('null')
    await running
    running = undefined
    askedForJob = Promise.withResolvers()
  }

  async function close(): Promise<void> {
    await unload()
    await vitest.close()
    server.close()
  }

  return { run, close }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function load(vitest: Vitest): Promise<void> {
  const specifications = await vitest.globTestSpecifications()
  vitest.state.clearErrors()
  await vitest.runTestSpecifications(specifications, true)
}
