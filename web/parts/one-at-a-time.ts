import { useRef, useState } from 'preact/hooks'

interface OneAtATime {
  isBusy: boolean
  run: (work: () => Promise<void>) => Promise<void>
}

/**
 * Runs one piece of work at a time and drops what is asked for meanwhile. A state would change only with the next
 * rendering, and two events of one task (a double click, Enter and a click) come before that.
 */
export function useOneAtATime(): OneAtATime {
  const isRunning = useRef(false)
  const [isBusy, setIsBusy] = useState(false)
  return {
    isBusy,
    async run(work) {
      if (isRunning.current) return
      isRunning.current = true
      setIsBusy(true)
      try {
        await work()
      } finally {
        isRunning.current = false
        setIsBusy(false)
      }
    },
  }
}
