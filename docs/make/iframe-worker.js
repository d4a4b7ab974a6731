// Browsers start no worker of a page that is opened as a file: run the search in a frame beside it instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.appendChild(frame)
      const inside = frame.contentWindow
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      this.send = data => inside.dispatchEvent(new inside.MessageEvent("message", { data }))
      const script = frame.contentDocument.createElement("script")
      script.src = new URL(url, document.baseURI)
      script.onload = () => {
        this.waiting.forEach(this.send)
        this.waiting = null
      }
      frame.contentDocument.body.appendChild(script)
    }
    postMessage(data) {
      this.waiting ? this.waiting.push(data) : this.send(data)
    }
    terminate() {}
  }
}
