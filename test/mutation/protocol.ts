/** What is said between Stryker's test runner (in Node) and the loop that runs the tests (in workerd). */

export interface Job {
  /** Whether the modules are loaded anew, with the mutant on. */
  loads: boolean
  /** None in the dry run. */
  mutant?: string
  /** How often the mutant may be reached before it counts as an endless loop. */
  hitLimit?: number
  /** Ids of the tests to run; all, when there is no list. The first that fails ends the job. */
  tests?: string[]
}

export interface TestReport {
  id: string
  file: string
  name: string
  milliseconds: number
  /** Of a test that failed. */
  failure?: string
}

export interface Report {
  /** Those that ran. */
  tests: TestReport[]
  /** Which mutants were reached while modules loaded, and by which test. Counts, by the mutant's id. */
  coverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> }
  hits?: number
}

export interface Provided {
  /** Where the next job is asked for. */
  url: string
  testFiles: string[]
}

declare module 'vitest' {
  interface ProvidedContext {
    mutation: Provided
  }
}
