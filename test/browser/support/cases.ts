/** In which languages, sizes and colors a page is looked at, and whether the service asks for challenges. */
export const languages = ['en', 'de'] as const
export const widths = [320, 768, 1040, 1280] as const
export const looks = ['light', 'dark', 'forced'] as const
export const challenges = ['no challenges', 'challenges'] as const

export interface Case {
  language: (typeof languages)[number]
  width: (typeof widths)[number]
  look: (typeof looks)[number]
  challenge: (typeof challenges)[number]
}

interface PageCase extends Case {
  page: string
}

/**
 * Every page in every language, size and look.
 *
 * @param guarded the pages that differ when the service asks for challenges
 */
export function allCases(pages: readonly string[], guarded: readonly string[]): PageCase[] {
  const cases = languages.flatMap((language) =>
    widths.flatMap((width) =>
      looks.flatMap((look) => challenges.map((challenge) => ({ language, width, look, challenge }) satisfies Case)),
    ),
  )
  const all = pages.flatMap((page) => cases.map((one) => ({ page, ...one })))
  return all.filter(({ page, challenge }) => challenge === 'no challenges' || guarded.includes(page))
}

/**
 * As few of them as are needed for every pair of two values, such as German at 320 px or a page in the dark, to occur:
 * most faults of a layout need no more than two causes.
 */
export function pairwiseCases(pages: readonly string[], guarded: readonly string[]): PageCase[] {
  const all = allCases(pages, guarded)
  const missing = new Set(all.flatMap(pairsOf))
  const chosen: PageCase[] = []
  while (missing.size > 0) {
    const gain = (one: PageCase) => pairsOf(one).filter((pair) => missing.has(pair)).length
    const best = all.reduce((one, other) => (gain(other) > gain(one) ? other : one))
    chosen.push(best)
    for (const pair of pairsOf(best)) missing.delete(pair)
  }
  return chosen
}

function pairsOf(one: PageCase): string[] {
  const values = Object.entries(one).map(([name, value]) => `${name}=${value}`)
  return values.flatMap((value, n) => values.slice(n + 1).map((other) => `${value} ${other}`))
}
