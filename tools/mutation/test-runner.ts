/** Runs our tests for Stryker. Its own runner for vitest cannot reach into workerd. */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { PluginKind, commonTokens, declareClassPlugin, tokens } from '@stryker-mutator/api/plugin'
import {
  type DryRunOptions,
  type DryRunResult,
  DryRunStatus,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  TestStatus,
  determineHitLimitReached,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import type { StrykerOptions } from '@stryker-mutator/api/core'
import type { Report, TestReport } from '../../test/mutation/protocol.ts'
import { type WarmVitest, startWarmVitest } from './warm-vitest.ts'

/**
 * How many tests a mutant is tried with at most. What they miss counts as survived. Without the limit, a survivor in code
 * that every request runs costs minutes.
 */
const TESTS_PER_MUTANT = 240
/** Mutants before and after one that are code around it. */
const NEIGHBORS = 20

class WorkerdTestRunner implements TestRunner {
  static inject = tokens(commonTokens.options)
  #vitest: WarmVitest | undefined
  #testFiles: string[]
  /** Whether modules were loaded while a mutant was active. They must not be used for another one. */
  #isSpoiled = false
  #reach: Reach | undefined

  constructor(options: StrykerOptions) {
    this.#testFiles = options['testFilesInWorkerd'] as string[]
  }

  capabilities() {
    return { reloadEnvironment: true }
  }

  async init(): Promise<void> {
    this.#vitest = await startWarmVitest(this.#testFiles)
  }

  /**
   * Runs all tests three times without a mutant, in the way mutants are run, so that later failures are due to a
   * mutant.
   */
  async dryRun(_options: DryRunOptions): Promise<DryRunResult> {
    const first = await this.#vitest!.run({ loads: false })
    const again = await this.#vitest!.run({ loads: false })
    const anew = await this.#vitest!.run({ loads: true })
    if (!first || !again || !anew) return { status: DryRunStatus.Error, errorMessage: 'the tests do not load' }
    const unsteady = [first, again, anew].find(({ tests }) => tests.some(({ failure }) => failure !== undefined))
    if (!unsteady && [again, anew].some(({ tests }) => tests.length !== first.tests.length)) {
      return { status: DryRunStatus.Error, errorMessage: 'a repeated run does not run all tests' }
    }
    const { static: whileLoading = {}, perTest = {} } = first.coverage ?? {}
    const files = Object.fromEntries(first.tests.map(({ id, file }) => [id, file]))
    await writeFile(reachFile, JSON.stringify({ files, perTest } satisfies StoredReach))
    return { ...result(unsteady ?? first), mutantCoverage: { static: whileLoading, perTest } }
  }

  async mutantRun({
    activeMutant,
    testFilter,
    hitLimit,
    mutantActivation,
  }: MutantRunOptions): Promise<MutantRunResult> {
    const reach = (this.#reach ??= await readReach())
    // A mutant that acts while the modules load: nobody knows which tests see it.
    const isStatic = mutantActivation === 'static'
    const job = {
      loads: isStatic || this.#isSpoiled,
      mutant: activeMutant.id,
      tests: closest(reach, testFilter ?? [...reach.fileOf.keys()], activeMutant),
      ...(hitLimit !== undefined && { hitLimit }),
    }
    const report = await this.#vitest!.run(job)
    this.#isSpoiled = isStatic
    if (!report) return toMutantRunResult(result({ tests: [notLoaded] }))
    return toMutantRunResult(determineHitLimitReached(report.hits, hitLimit) ?? result(report))
  }

  async dispose(): Promise<void> {
    await this.#vitest?.close()
  }
}

/** What the dry run has found out. In a file, because Stryker starts another process after a mutant that runs for ever. */
interface StoredReach {
  /** The file of each test. */
  files: Record<string, string>
  perTest: Record<string, Record<string, number>>
}

interface Reach {
  fileOf: Map<string, string>
  mutantsOf: Map<string, Set<number>>
  /** How many tests reach a mutant. */
  testsOf: Map<number, number>
}

/** In the folder of the run, where Stryker works. */
const reachFile = 'reach.json'

async function readReach(): Promise<Reach> {
  const { files, perTest } = JSON.parse(await readFile(reachFile, 'utf8')) as StoredReach
  const mutantsOf = new Map<string, Set<number>>()
  const testsOf = new Map<number, number>()
  for (const [test, mutants] of Object.entries(perTest)) {
    const ids = Object.keys(mutants).map(Number)
    mutantsOf.set(test, new Set(ids))
    for (const id of ids) testsOf.set(id, (testsOf.get(id) ?? 0) + 1)
  }
  return { fileOf: new Map(Object.entries(files)), mutantsOf, testsOf }
}

/**
 * A third are tests whose file is named like the mutated one. A third reach most of the code around the mutant: its
 * neighbors have neighboring numbers, and one that few tests reach says more. The others are from each file in turn.
 */
function closest(
  { fileOf, mutantsOf, testsOf }: Reach,
  tests: string[],
  { id, fileName }: MutantRunOptions['activeMutant'],
): string[] {
  const mutant = Number(id)
  const about = (test: string) => {
    const reached = mutantsOf.get(test) ?? new Set()
    let sum = 0
    for (let near = mutant - NEIGHBORS; near <= mutant + NEIGHBORS; near++) {
      if (reached.has(near)) sum += 1 / testsOf.get(near)!
    }
    return sum
  }
  const scored = tests
    .map((test) => ({ test, file: fileOf.get(test)!, score: about(test) }))
    .toSorted((one, other) => other.score - one.score)
  const turns = new Map<string, number>()
  const inTurn = scored.map((each) => {
    const turn = turns.get(each.file) ?? 0
    turns.set(each.file, turn + 1)
    return { ...each, turn }
  })
  const chosen = new Set<string>()
  const addUntil = (size: number, some: { test: string }[]) => {
    for (const { test } of some) if (chosen.size < size) chosen.add(test)
  }
  addUntil(
    TESTS_PER_MUTANT / 3,
    scored.filter(({ file }) => isNamedLike(file, fileName)),
  )
  addUntil((TESTS_PER_MUTANT / 3) * 2, scored)
  addUntil(
    TESTS_PER_MUTANT,
    inTurn.toSorted((one, other) => one.turn - other.turn),
  )
  return [...chosen]
}

/** Whether a file of tests has a word in common with a file or its folder: `http/limit-rate.ts`, `rate-limits.test.ts`. */
function isNamedLike(testFile: string, file: string): boolean {
  const words = [...wordsIn(file), ...wordsIn(dirname(file))]
  return wordsIn(testFile).some((word) => words.includes(word))
}

function wordsIn(file: string): string[] {
  const [name = ''] = basename(file).split('.')
  return name.split('-').map((word) => word.replace(/s$/, ''))
}

/** Reported for a mutant with which the modules do not load: it counts as detected. */
const notLoaded: TestReport = {
  id: 'loading',
  file: '',
  name: 'loading',
  milliseconds: 0,
  failure: 'the modules do not load',
}

function result({ tests }: Report) {
  return { status: DryRunStatus.Complete as const, tests: tests.map(testResult) }
}

function testResult({ id, file, name, milliseconds, failure }: TestReport): TestResult {
  // Stryker needs the file to find out in its next run which tests have changed.
  const about = { id, fileName: resolve(file), name, timeSpentMs: milliseconds }
  return failure === undefined
    ? { ...about, status: TestStatus.Success }
    : { ...about, status: TestStatus.Failed, failureMessage: failure }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'workerd', WorkerdTestRunner)]
