// Judges histories by Porcupine, to be measured beside Quorate: see porcupine.sh.
//
//	rival MODEL observation|ignored SECONDS [explain] < history.jsonl
//
// The history is one JSON object a line, as `quorate convert --to json` and the example `families write` write it. MODEL
// is register (which is read, written, and compared and set) or kv (text that is read, put and appended to, by key).
// Printed are the verdict, the seconds that the check took without reading, and the peak of memory in megabytes.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// A line of a history.
type line struct {
	Type    string
	Process json.RawMessage
	F       string
	Key     json.RawMessage
	Value   json.RawMessage
}

// What is asked of an object.
type input struct {
	f, key   string
	old, new string
}

// What came of it.
type output struct {
	value     string
	isRefused bool
	isUnknown bool
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: rival MODEL observation|ignored SECONDS [explain] < history.jsonl")
	}
	seconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail(err)
	}
	events := read(os.Args[2] == "observation")
	model := porcupine.Model{PartitionEvent: byKey, Init: func() interface{} { return "null" }, Step: registerStep}
	if os.Args[1] == "kv" {
		// As in the models of Porcupine's own tests: texts are hashed, registers are not.
		model.Init, model.Step, model.Hash = func() interface{} { return "" }, textStep, hash
	}
	begun := time.Now()
	var result porcupine.CheckResult
	if len(os.Args) > 4 {
		result, _ = porcupine.CheckEventsVerbose(model, events, time.Duration(seconds)*time.Second)
	} else {
		result = porcupine.CheckEventsTimeout(model, events, time.Duration(seconds)*time.Second)
	}
	took := time.Since(begun).Seconds()
	verdict := map[porcupine.CheckResult]string{
		porcupine.Ok: "valid", porcupine.Illegal: "invalid", porcupine.Unknown: "unknown",
	}[result]
	fmt.Printf("%s %.6f %d\n", verdict, took, peakMegabytes())
}

// The events of the history on standard input. A cas that failed is an observation, or did not happen.
func read(isObservation bool) []porcupine.Event {
	var events []porcupine.Event
	open := map[string]int{}
	dropped := map[int]bool{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	next := 0
	for lines.Scan() {
		var read line
		if err := json.Unmarshal(lines.Bytes(), &read); err != nil {
			fail(err)
		}
		process := string(read.Process)
		// A header, a footer, a nemesis.
		if read.Type == "" || read.F == "" || strings.HasPrefix(process, `"`) {
			continue
		}
		client, _ := strconv.Atoi(process)
		if read.Type == "invoke" {
			open[process] = next
			event := porcupine.Event{ClientId: client, Kind: porcupine.CallEvent, Value: asked(read), Id: next}
			events = append(events, event)
			next++
			continue
		}
		id, isOpen := open[process]
		if !isOpen || read.Type == "info" {
			continue
		}
		delete(open, process)
		told := output{value: text(read.Value)}
		if read.Type == "fail" {
			told.isRefused = read.F == "cas" && isObservation
			told.isUnknown = read.F == "read" || read.F == "get"
			dropped[id] = !told.isRefused && !told.isUnknown
		}
		event := porcupine.Event{ClientId: client, Kind: porcupine.ReturnEvent, Value: told, Id: id}
		events = append(events, event)
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	var kept []porcupine.Event
	ended := map[int]bool{}
	for _, event := range events {
		if !dropped[event.Id] {
			kept = append(kept, event)
			ended[event.Id] = event.Kind == porcupine.ReturnEvent
		}
	}
	// What has no known end may happen until the end; what it returned nobody knows.
	for id := 0; id < next; id++ {
		if isEnded, isKept := ended[id]; isKept && !isEnded {
			event := porcupine.Event{Kind: porcupine.ReturnEvent, Value: output{isUnknown: true}, Id: id}
			kept = append(kept, event)
		}
	}
	return kept
}

func asked(read line) input {
	asked := input{f: read.F, key: string(read.Key), new: text(read.Value)}
	if read.F == "cas" {
		var pair []json.RawMessage
		if err := json.Unmarshal(read.Value, &pair); err != nil || len(pair) != 2 {
			fail("a cas has no pair of values")
		}
		asked.old, asked.new = text(pair[0]), text(pair[1])
	}
	return asked
}

// A value as a text: a text as it is, all else as JSON has it.
func text(value json.RawMessage) string {
	var plain string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &plain) == nil {
		return plain
	}
	return string(value)
}

func byKey(history []porcupine.Event) [][]porcupine.Event {
	places := map[string]int{}
	of := map[int]int{}
	var parts [][]porcupine.Event
	for _, event := range history {
		if event.Kind == porcupine.CallEvent {
			key := event.Value.(input).key
			place, isKnown := places[key]
			if !isKnown {
				place = len(parts)
				places[key] = place
				parts = append(parts, nil)
			}
			of[event.Id] = place
		}
		place := of[event.Id]
		parts[place] = append(parts[place], event)
	}
	return parts
}

func registerStep(state, in, out interface{}) (bool, interface{}) {
	held, asked, told := state.(string), in.(input), out.(output)
	switch asked.f {
	case "read":
		return told.isUnknown || told.value == held, held
	case "write":
		return true, asked.new
	case "cas":
		fits := held == asked.old
		if fits {
			return told.isUnknown || !told.isRefused, asked.new
		}
		return told.isUnknown || told.isRefused, held
	}
	fail("no function " + asked.f)
	return false, nil
}

func textStep(state, in, out interface{}) (bool, interface{}) {
	held, asked, told := state.(string), in.(input), out.(output)
	switch asked.f {
	case "get":
		return told.isUnknown || told.value == held, held
	case "put":
		return true, asked.new
	case "append":
		return true, held + asked.new
	}
	fail("no function " + asked.f)
	return false, nil
}

func hash(state interface{}) uint64 {
	sum := fnv.New64a()
	sum.Write([]byte(state.(string)))
	return sum.Sum64()
}

func peakMegabytes() int {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "VmHWM:" {
			kilobytes, _ := strconv.Atoi(words[1])
			return kilobytes / 1024
		}
	}
	return 0
}

func fail(why interface{}) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}
