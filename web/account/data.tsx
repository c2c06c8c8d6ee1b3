import { PosternError } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { saveFile } from '../navigation.ts'
import { Submit, useForm } from '../parts/form.tsx'
import { refreshViews } from '../parts/views.ts'
import { words } from './texts/words.ts'

/** The download of everything that is stored about the user. */
export function Data() {
  const form = useForm([], async () => {
    try {
      saveFile(words.data.file, await client.exportAccount())
    } catch (error) {
      if (isOfTheDay(error)) return { form: words.data.again }
      throw error
    } finally {
      refreshViews()
    }
    return undefined
  })
  return (
    <>
      <h2>{words.data.title}</h2>
      <p class="soft">{words.data.hint}</p>
      <form {...form.props}>
        <Submit form={form} busy={words.data.busy}>
          {words.data.submit}
        </Submit>
      </form>
    </>
  )
}

/** Whether the copy of this day is gone. The other limits ask for a minute at most. */
function isOfTheDay(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'rate_limited' && (error.retryAfterSeconds ?? 0) > 60
}
