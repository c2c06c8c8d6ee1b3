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
