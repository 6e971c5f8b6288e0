package promstream

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// How many bytes a sample has at most.
const maxSample = 32_000

// How many an element of several samples has: neither Redis nor the gateway should
// have to hold much at once.
const maxArray = 65_536

// The gateway takes this many observations in one sample.
const maxSampleValues = 4_096

// ElastiCache Serverless refuses commands of 3,900 arguments.
const maxElements = 3_890

// Takes what is pending: the elements of the queue, how many samples they have,
// and how many samples are too large to be sent. Elements are as few as hold the
// samples, in their order: one costs Redis more than a sample does.
func (b *buffer) take() (elements []any, sent, tooLarge int) {
	if b.samples == 0 {
		return nil, 0, 0
	}
	b.pushes++
	packer := packer{
		text: make([]byte, 0, b.size+b.size/8+256),
		push: b.pushes,
	}
	for _, one := range b.pending {
		one.pack(&packer)
		one.reset()
	}
	packer.end()
	b.pending, b.samples, b.observations = b.pending[:0], 0, 0
	b.size = len(packer.text)
	return packer.elements, packer.sent, packer.tooLarge
}

// packer writes samples into elements.
type packer struct {
	// All elements, one after the other; where the last one begins, and how many
	// samples it has.
	text   []byte
	start  int
	within int

	elements []any
	// Which push it is: the help of a name is told once in each.
	push           uint64
	sent, tooLarge int
}

// Begins a sample, which is what text has from there on.
func (p *packer) begin() int {
	if p.within == 0 {
		p.start = len(p.text)
		p.text = append(p.text, '[')
	} else {
		p.text = append(p.text, ',')
	}
	return len(p.text)
}

func (p *packer) commit(from int) {
	if len(p.text)-from > maxSample {
		p.text = p.text[:from-1]
		p.tooLarge++
		return
	}
	// Behind the last one is a bracket.
	if p.within > 0 && len(p.text)-p.start+1 > maxArray {
		sample := bytes.Clone(p.text[from:])
		p.text = p.text[:from-1]
		p.end()
		p.begin()
		p.text = append(p.text, sample...)
	}
	p.within++
}

// Ends an element, which is an array only if it has several samples.
func (p *packer) end() {
	switch {
	case p.within == 0:
		return
	case len(p.elements) == maxElements:
		p.tooLarge += p.within
	case p.within == 1:
		p.elements = append(p.elements, p.text[p.start+1:len(p.text):len(p.text)])
		p.sent++
	default:
		p.text = append(p.text, ']')
		p.elements = append(p.elements, p.text[p.start:len(p.text):len(p.text)])
		p.sent += p.within
	}
	p.within = 0
}

// Packs the samples of a series.
func (s *series) pack(into *packer) {
	switch s.kind {
	case counter:
		s.packValue(into, s.total)
	case gauge:
		for _, one := range s.operations {
			s.packOperation(into, one)
		}
	case histogram:
		if s.counts != nil {
			s.packCounts(into)
		} else {
			s.packValues(into)
		}
	case summary:
		s.packValues(into)
	case native:
		for _, one := range s.natives {
			s.packNative(into, one)
		}
	}
}

func (s *series) packValue(into *packer, value float64) {
	from := s.begin(into)
	into.text = append(into.text, `,"value":`...)
	into.text = append(appendNumber(into.text, value), '}')
	into.commit(from)
}

func (s *series) packOperation(into *packer, one operation) {
	from := s.begin(into)
	if one.op != "set" {
		into.text = append(into.text, `,"op":"`...)
		into.text = append(append(into.text, one.op...), '"')
	}
	into.text = append(into.text, `,"value":`...)
	into.text = append(appendNumber(into.text, one.value), '}')
	into.commit(from)
}

// Many observations are several samples.
func (s *series) packValues(into *packer) {
	if len(s.values) == 1 {
		s.packValue(into, s.values[0])
		return
	}
	for left := s.values; len(left) > 0; {
		from := s.begin(into)
		into.text = append(into.text, `,"values":[`...)
		taken := 0
		// The next one and the end have room.
		for taken < len(left) && taken < maxSampleValues && len(into.text)-from < maxSample-50 {
			if taken > 0 {
				into.text = append(into.text, ',')
			}
			into.text = appendNumber(into.text, left[taken])
			taken++
		}
		into.text = append(into.text, `]}`...)
		if taken == 0 {
			// Its labels and buckets alone are too large.
			into.text = into.text[:from-1]
			into.tooLarge++
			return
		}
		into.commit(from)
		left = left[taken:]
	}
}

func (s *series) packCounts(into *packer) {
	from := s.begin(into)
	into.text = append(into.text, `,"counts":[`...)
	for index, count := range s.counts {
		if index > 0 {
			into.text = append(into.text, ',')
		}
		into.text = strconv.AppendUint(into.text, count, 10)
	}
	into.text = append(into.text, `],"sum":`...)
	into.text = append(appendNumber(into.text, s.sum), '}')
	into.commit(from)
}

// Begins a sample. The first of each name in a push has the help, since the
// gateway may have been started since the last one.
func (s *series) begin(into *packer) int {
	from := into.begin()
	into.text = append(append(into.text, '{'), s.head...)
	if s.kind == histogram {
		into.text = appendNumbers(append(into.text, `,"buckets":`...), s.buckets)
	}
	if s.family != nil {
		if s.family.told != into.push {
			s.family.told = into.push
			into.text = append(into.text, s.family.once...)
		}
		into.text = append(into.text, s.family.each...)
	}
	return from
}

func appendNumber(to []byte, value float64) []byte {
	return strconv.AppendFloat(to, value, 'g', -1, 64)
}

func appendNumbers(to []byte, values []float64) []byte {
	to = append(to, '[')
	for index, value := range values {
		if index > 0 {
			to = append(to, ',')
		}
		to = appendNumber(to, value)
	}
	return append(to, ']')
}

// Appends a text as JSON, with what is no UTF-8 replaced.
func appendText(to []byte, text string) []byte {
	to = append(to, '"')
	plain := 0
	for plain < len(text) && isPlain(text[plain]) {
		plain++
	}
	to = append(to, text[:plain]...)
	for _, letter := range text[plain:] {
		switch {
		case letter == '"' || letter == '\\':
			to = append(to, '\\', byte(letter))
		case letter < 0x20:
			to = fmt.Appendf(to, `\u%04x`, letter)
		default:
			// One that is not valid is U+FFFD.
			to = utf8.AppendRune(to, letter)
		}
	}
	return append(to, '"')
}

func isPlain(at byte) bool { return at >= 0x20 && at < utf8.RuneSelf && at != '"' && at != '\\' }
