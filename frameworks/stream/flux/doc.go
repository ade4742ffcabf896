// Package flux reads topologies as Storm's Flux has them: YAML files of spouts,
// bolts and streams, as people already have them and as streamparse writes them.
//
// # Model
//
//	text ─ substitute ─→ text ─ schema ─→ document ─ include ─ build ─→ topology.Topology
//	          ${}                            ↑ other files       │ what JVM classes stand for
//	                                         └───────────────────┴─→ faults, by path and line
//
// A class is known by its name: [Read] puts what it stands for in its place.
//
//	org.apache.storm.flux.wrappers.spouts.FluxShellSpout   a process
//	org.apache.storm.flux.wrappers.bolts.FluxShellBolt     a process
//	org.apache.storm.flux.wrappers.bolts.LogInfoBolt       sink "log"
//	org.apache.storm.testing.TestWordSpout                 source "words"
//	org.apache.storm.testing.TestWordCounter               operator "count"
//	org.apache.storm.grouping.PartialKeyGrouping           grouping partialKey
//	org.apache.storm.tuple.Fields, java.lang.String, …     the value
//
// # Laws
//
//	F1  Every key of Flux is known. One that is not, a class without a
//	    counterpart, and a property or method that would do nothing here, are
//	    refused by name and line.
//	F2  All faults of a file and of the files it includes come at once.
//	F3  A reference is to a component above it, or to one of an included file.
//	F4  What is read is text: no class is loaded, nothing is looked up on a class
//	    path, and the environment is seen only where the caller hands it in.
//
// # Decisions
//
// Flux says nothing of guarantees. Storm's is at least once, or at most once
// with `topology.acker.executors: 0`, and so it is here. `capstan.guarantee` in
// config asks for another one; Storm does not mind the key. A bolt that fails a
// tuple is given it again, three times in all: its spout is not told.
//
// As in Storm, ${name} is replaced in the text, line by line, wherever a value is
// known for the name, and stays where none is: a command may mean its shell. What
// stays is told as a warning. An included file that lies on Storm's class path
// (resource: true) is looked for beside the topology's. Included files include
// nothing themselves: Storm ignores what they ask for, here it is a fault. What an
// included file says again is ignored, unless it overrides, and told.
//
// YAML is read as version 1.2: `yes` and `on` are text, where Storm's parser takes
// them for true.
//
// # Left out
//
// topologySource and workerHooks: they are JVM code. The loads that Storm's
// scheduler goes by (onHeapMemoryLoad, offHeapMemoryLoad, cpuLoad) are read, and
// a gang's resources are its document's. KafkaSpout and its like, until there are
// the sources that they would stand for.
package flux
