package bronze

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"
)

// messageText is what a message says: a string, an object with parts, or a list of blocks, whose texts are joined. Images and
// files are named, not copied. Reasoning and tools are left out.
func messageText(content *fastjson.Value) (said string) {
	switch {
	case content == nil:
		return ""
	case is(content, fastjson.TypeString):
		return string(content.GetStringBytes())
	case isArray(content, "parts"):
		content = content.Get("parts")
	case is(content, fastjson.TypeObject):
		return blockText(content)
	}
	for _, block := range content.GetArray() {
		said = joinLines(said, blockText(block))
	}
	return said
}

func blockText(block *fastjson.Value) string {
	if s := block.GetStringBytes(); len(s) > 0 {
		return string(s)
	}
	typ := text(block, "type")
	switch {
	case typ == "thinking", typ == "redacted_thinking", typ == "reasoning", isTrue(block, "thought"),
		strings.HasSuffix(typ, "tool_use"), strings.HasSuffix(typ, "tool_result"):
		return ""
	case isString(block, "text"), isString(block, "refusal"):
		return text(block, "text", "refusal")
	}
	for _, kind := range attachments {
		if typ == kind {
			return attachment(kind, block)
		}
		if v := block.Get(kind); v != nil {
			return attachment(kind, v)
		}
	}
	return ""
}

// attachments are the types of blocks, or the members of blocks without type, that hold something else than text.
var attachments = []string{
	"image", "image_url", "input_image", "document", "file", "input_file", "audio", "input_audio", "video", "video_url",
	"inlineData", "inline_data", "fileData", "file_data",
}

// attachment names what is attached: by its type and either its address or size and digest, so that two differ.
func attachment(kind string, v *fastjson.Value) string {
	media, data := cmp.Or(findText(v, 0, "media_type", "mimeType", "mime_type", "format", "filename"), strings.TrimSuffix(strings.TrimPrefix(kind, "input_"), "_url")),
		string(v.GetStringBytes())
	if data == "" {
		data = findText(v, 0, "data", "bytes", "file_data", "url", "image_url", "fileUri", "file_uri", "uri", "file_id", "fileId", "text")
	}
	switch {
	case data == "":
		return "[" + media + "]"
	case strings.Contains(data[:min(len(data), 16)], "://"):
		address, _, _ := strings.Cut(data, "?")
		return "[" + media + ": " + address + "]"
	case len(data) < 128 && !strings.HasPrefix(data, "data:"):
		return "[" + media + ": " + data + "]"
	}
	return fmt.Sprintf("[%s: %d characters, SHA-1 %s]", media, len(data), digestOf(data)[:12])
}

// findText looks for a text under one of the keys, in v and in what it holds.
func findText(v *fastjson.Value, depth int, keys ...string) (found string) {
	if found = text(v, keys...); found != "" || depth == 3 || !is(v, fastjson.TypeObject) {
		return found
	}
	v.GetObject().Visit(func(_ []byte, member *fastjson.Value) {
		if found == "" {
			found = findText(member, depth+1, keys...)
		}
	})
	return found
}
