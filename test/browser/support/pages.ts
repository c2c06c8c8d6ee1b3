/** Pages with a script of the test, in either browser. All pages of one browser have the same storage and cookies. */
import { launchBrowser } from './browser.ts'
import { Firefox } from './firefox.ts'

interface ScriptedPage {
  /** Calls a function of the script. Its arguments and its result are JSON. */
  call: <F extends (...given: never[]) => unknown>(
    name: string,
    ...given: Parameters<F>
  ) => Promise<Awaited<ReturnType<F>>>
  close: () => Promise<void>
}

export interface Pages {
  open: () => Promise<ScriptedPage>
  close: () => Promise<void>
}

/** Opens a page, which is closed even if the test fails: it would take part in the next ones. */
export async function inPage<T>(browser: Pages, use: (page: ScriptedPage) => Promise<T>): Promise<T> {
  const page = await browser.open()
  try {
    return await use(page)
  } finally {
    await page.close()
  }
}

const expressionOf = (name: string, given: unknown[]) =>
  `Promise.resolve(trials.${name}(${given.map((one) => JSON.stringify(one)).join()})).then((found) => JSON.stringify(found ?? null))`

function scripted(evaluate: (expression: string) => Promise<unknown>, close: () => Promise<void>): ScriptedPage {
  return {
    call: async (name, ...given) => JSON.parse(String(await evaluate(expressionOf(name, given)))),
    close,
  }
}

export async function openChromium(url: string, script: string): Promise<Pages> {
  const browser = await launchBrowser()
  const context = await browser.newContext()
  await context.addInitScript({ content: script })
  return {
    async open() {
      const page = await context.newPage()
      await page.goto(url)
      return scripted(
        (expression) => page.evaluate(expression),
        () => page.close(),
      )
    },
    close: () => browser.close(),
  }
}

export async function openFirefox(url: string, script: string): Promise<Pages> {
  const firefox = await Firefox.launch()
  const profile = await firefox.newProfile()
  return {
    async open() {
      const tab = await firefox.openTab('', profile)
      await tab.goto(url)
      await tab.evaluate(`${script}; 'ready'`)
      return scripted(
        (expression) => tab.evaluate(expression),
        () => tab.close(),
      )
    },
    close: () => firefox.close(),
  }
}
