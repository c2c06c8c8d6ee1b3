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

class WorkerdTestRunner implements TestRunner {
  static inject = tokens(commonTokens.options)
  #vitest: WarmVitest | undefined
  #testFiles: string[]
  /** Whether modules were loaded while a mutant was active. They must not be used for another one. */
  #isSpoiled = false

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
      ...(testFilter && { tests: testFilter }),
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
