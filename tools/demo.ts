import { accountChapter } from './demo/account-chapter.ts'
import { adminChapter } from './demo/admin-chapter.ts'
import { Api } from './demo/api.ts'
import { factorChapter } from './demo/factor-chapter.ts'
import { printedSteps } from './demo/steps.ts'
import { Surprise } from './demo/surprise.ts'
import { readLocalServer } from './dev/settings.ts'
import { command } from './command.ts'

/** `npm run demo`: runs the main flows over HTTP against a running `npm run dev`, with the emails in its mailbox. */
await command(async () => {
  const { url, mailboxUrl } = readLocalServer(process.env)
  const api = new Api(url)
  const { step, count } = printedSteps((text) => process.stdout.write(text))
  const demo = { api, mailbox: new Api(mailboxUrl), step }
  console.log(`Postern at ${url}, mailbox at ${mailboxUrl}\n`)
  try {
    await step('the service is up', () => api.call('GET', '/healthz', { expect: 200 }))
    const person = await accountChapter(demo)
    await factorChapter(demo)
    await adminChapter(demo, person)
    console.log(`\nAll ${count()} steps as expected.`)
  } catch (error) {
    if (!(error instanceof Surprise)) throw error
    console.error(`\n  expected  ${error.expected}\n  actual    ${error.actual}`)
    process.exitCode = 1
  }
})
