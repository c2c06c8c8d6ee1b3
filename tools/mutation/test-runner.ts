/** Runs our tests for Stryker. Its own runner for vitest cannot reach into workerd. */
import { resolve } from 'node:path'
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
const TESTS_PER_MUTANT = 200

class WorkerdTestRunner implements TestRunner {
  static inject = tokens(commonTokens.options)
  #vitest: WarmVitest | undefined
  #testFiles: string[]
  /** Whether modules were loaded while a mutant was active. They must not be used for another one. */
  #isSpoiled = false
  /** How many mutants each test reaches. */
  #reach = new Map<string, number>()
  #file = new Map<string, string>()

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
    this.#reach = new Map(Object.entries(perTest).map(([test, reached]) => [test, Object.keys(reached).length]))
    this.#file = new Map(first.tests.map(({ id, file }) => [id, file]))
    return { ...result(unsteady ?? first), mutantCoverage: { static: whileLoading, perTest } }
  }

  async mutantRun({
    activeMutant,
    testFilter,
    hitLimit,
    mutantActivation,
  }: MutantRunOptions): Promise<MutantRunResult> {
    const isStatic = mutantActivation === 'static'
    const job = {
      loads: isStatic || this.#isSpoiled,
      mutant: activeMutant.id,
      ...(testFilter && { tests: this.#closest(testFilter) }),
      ...(hitLimit !== undefined && { hitLimit }),
    }
    const report = await this.#vitest!.run(job)
    this.#isSpoiled = isStatic
    if (!report) return toMutantRunResult(result({ tests: [notLoaded] }))
    return toMutantRunResult(determineHitLimitReached(report.hits, hitLimit) ?? result(report))
  }

  /** Takes from each file in turn the test that reaches the fewest mutants: it is the most likely one to be about this one. */
  #closest(tests: string[]): string[] {
    const reach = (test: string) => this.#reach.get(test) ?? 0
    const byFile = Map.groupBy(tests, (test) => this.#file.get(test))
    const inTurn = [...byFile.values()].flatMap((ofFile) =>
      ofFile.toSorted((one, other) => reach(one) - reach(other)).map((test, turn) => ({ test, turn })),
    )
    return inTurn
      .toSorted((one, other) => one.turn - other.turn)
      .slice(0, TESTS_PER_MUTANT)
      .map(({ test }) => test)
  }

  async dispose(): Promise<void> {
    await this.#vitest?.close()
  }
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
