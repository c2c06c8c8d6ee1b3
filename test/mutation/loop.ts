/**
 * Runs the collected tests again and again, once for each mutant. Starting workerd and loading the service takes seconds,
 * and a test some milliseconds. So the mutants are all in the code already, and a number in a global says which one is on.
 */
import { type RunnerTestCase, type RunnerTestFile, type RunnerTestSuite, TestRunner, inject } from 'vitest'
import type { Job, Report, TestReport } from './protocol.ts'

/** What Stryker's instrumented code reads and writes. */
interface Instrumentation {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  mutantCoverage?: Report['coverage']
  hitCount?: number | undefined
  hitLimit?: number | undefined
}

const global = globalThis as { ['__stryker__']?: Instrumentation }
const instrumentation = (global['__stryker__'] ??= {})
// The tests replace the global one.
const ask = globalThis.fetch.bind(globalThis)

// The timer of such a signal cannot be cleared. After 10,000 requests to Resend workerd gives no test a timer any more,
// and the mutant in hand would count as detected. So they are our own timers here, and end with their test.
const deadlines: ReturnType<typeof setTimeout>[] = []
AbortSignal.timeout = (ms) => {
  const controller = new AbortController()
  const expire = () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  deadlines.push(setTimeout(expire, ms))
  return controller.signal
}

async function nextJob(report: Report | null): Promise<Job | null> {
  const answer = await ask(inject('mutation').url, { method: 'POST', body: JSON.stringify(report) })
  return answer.json<Job | null>()
}

// oxlint-disable-next-line import/no-default-export -- vitest wants it
export default class Loop extends TestRunner {
  #files: RunnerTestFile[] = []
  #job: Job | null = null
  /** Whether the job in hand was not begun yet. */
  #isNew = false
  #done: TestReport[] = []
  /** Tests that skip themselves (`it.skipIf`). The mode alone cannot tell them from those that a job left out. */
  #neverRun = new WeakSet<RunnerTestCase>()
  #chosenBefore = new WeakSet<RunnerTestCase>()

  /** Before anything is loaded, so that a mutant can be on while it loads. */
  async onBeforeCollect(): Promise<void> {
    if (!this.#isNew) this.#job = await nextJob(null)
    this.#isNew = false
    this.#switchOn()
  }

  onBeforeRunFiles(files: RunnerTestFile[]): void {
    this.#files = files
    for (const file of files) this.#choose(file)
  }

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    if (this.#done.some(({ failure }) => failure !== undefined)) test.mode = 'skip'
    // Stays after the test: what it left running is its own.
    if (test.mode === 'run') instrumentation.currentTestId = test.id
    await super.onBeforeRunTask(test)
  }

  override onAfterRunTask(test: RunnerTestCase): void {
    for (const deadline of deadlines.splice(0)) clearTimeout(deadline)
    const { id, fullTestName, result } = test
    // The outermost suite is the file, see `every-test.ts`.
    const [file = '', ...names] = fullTestName.split(' > ')
    const failure = result?.state === 'fail' ? (result.errors?.[0]?.message ?? 'failed') : undefined
    this.#done.push({
      id,
      file,
      name: names.join(' > '),
      milliseconds: result?.duration ?? 0,
      ...(failure !== undefined && { failure }),
    })
    if (failure !== undefined) putFirst(test)
    super.onAfterRunTask(test)
  }

  override async onAfterRunSuite(suite: RunnerTestSuite): Promise<void> {
    await super.onAfterRunSuite(suite)
    if (!('filepath' in suite)) return
    const { mutantCoverage: coverage, hitCount: hits } = instrumentation
    const isDryRun = this.#job?.mutant === undefined
    this.#job = await nextJob({
      tests: this.#done,
      ...(isDryRun && coverage && { coverage }),
      ...(hits !== undefined && { hits }),
    })
    if (!this.#job) return
    // vitest walks these very lists: of what it loads and then runs, and of what it runs as it is loaded.
    if (this.#job.loads) {
      this.#isNew = true
      this['workerState'].ctx.files.push({ ...this['workerState'].ctx.files[0]! })
    } else {
      this.#switchOn()
      forget(suite)
      this.#choose(suite)
      this.#files.push(suite as RunnerTestFile)
    }
  }

  #switchOn(): void {
    instrumentation.activeMutant = this.#job?.mutant
    instrumentation.hitLimit = this.#job?.hitLimit
    instrumentation.hitCount = this.#job?.hitLimit === undefined ? undefined : 0
    instrumentation.currentTestId = undefined
    this.#done = []
  }

  #choose(suite: RunnerTestSuite): void {
    const chosen = this.#job?.tests && new Set(this.#job.tests)
    for (const test of testsOf(suite)) {
      if (test.mode !== 'run' && !this.#chosenBefore.has(test)) this.#neverRun.add(test)
      this.#chosenBefore.add(test)
      test.mode = !this.#neverRun.has(test) && (!chosen || chosen.has(test.id)) ? 'run' : 'skip'
    }
  }
}

function testsOf({ tasks }: RunnerTestSuite): RunnerTestCase[] {
  return tasks.flatMap((task) => (task.type === 'suite' ? testsOf(task) : [task]))
}

/** What found out one mutant is likely to find out its neighbours. */
function putFirst(task: RunnerTestCase | RunnerTestSuite): void {
  const parent = task.suite ?? task.file
  if (parent === task) return
  parent.tasks.splice(parent.tasks.indexOf(task), 1)
  parent.tasks.unshift(task)
  putFirst(parent)
}

/** What came out the last time. */
function forget(suite: RunnerTestSuite): void {
  delete suite.result
  for (const task of suite.tasks) {
    if (task.type === 'suite') forget(task)
    else delete task.result
  }
}
