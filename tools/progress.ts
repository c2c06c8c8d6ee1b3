const barWidth = 30
const lineEveryMs = 5_000

export interface Progress {
  update: (done: number) => void
  end: () => void
}

interface Screen {
  isTTY?: boolean | undefined
  write: (text: string) => unknown
}

/** Shows how far something long has come: a bar on a terminal, otherwise a line now and then. */
export function showProgress(
  what: string,
  total: number,
  screen: Screen = process.stdout,
  now: () => number = Date.now,
): Progress {
  const startedAt = now()
  let shownAt = startedAt
  let shownPercent = -1
  const percentOf = (done: number) => Math.floor((done / Math.max(total, 1)) * 100)
  return {
    update(done) {
      const percent = percentOf(done)
      if (screen.isTTY) {
        if (percent === shownPercent) return
        const filled = Math.round((percent / 100) * barWidth)
        screen.write(`\r${what} [${'█'.repeat(filled)}${' '.repeat(barWidth - filled)}] ${percent} %`)
      } else {
        if (now() - shownAt < lineEveryMs) return
        screen.write(`${what}: ${done} of ${total}, ${percent} %\n`)
      }
      shownAt = now()
      shownPercent = percent
    },
    end() {
      // Clears the line, for what is said next.
      if (screen.isTTY && shownPercent >= 0) screen.write(`\r${' '.repeat(what.length + barWidth + 9)}\r`)
    },
  }
}

/** Says now and then that work of unknown length is still going on. */
export async function whileSaying<T>(line: string, work: Promise<T>, everyMs = lineEveryMs): Promise<T> {
  const startedAt = Date.now()
  const timer = setInterval(() => {
    console.log(`${line} (${Math.round((Date.now() - startedAt) / 1000)} s)`)
  }, everyMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
