// Spark's TeraSort over records of 100 bytes whose first 10 are the key. The
// environment names INPUT and OUTPUT. It prints the seconds from the first look
// at the input to the last file's end, without the start of Spark and of the
// shell that compiles this.
import java.io.{BufferedOutputStream, FileOutputStream}
import java.nio.file.{Files, Paths}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.io.{BytesWritable, LongWritable}
import org.apache.hadoop.mapreduce.lib.input.FixedLengthInputFormat

object TeraSort extends Serializable {
  object Unsigned extends Ordering[Array[Byte]] {
    def compare(a: Array[Byte], b: Array[Byte]): Int = java.util.Arrays.compareUnsigned(a, b)
  }
  def run(sc: org.apache.spark.SparkContext, input: String, output: String): Unit = {
    implicit val order: Ordering[Array[Byte]] = Unsigned
    val conf = new Configuration(sc.hadoopConfiguration)
    FixedLengthInputFormat.setRecordLength(conf, 100)
    Files.createDirectories(Paths.get(output))
    sc.newAPIHadoopFile("file://" + input, classOf[FixedLengthInputFormat], classOf[LongWritable], classOf[BytesWritable], conf)
      .map { case (_, r) => (java.util.Arrays.copyOfRange(r.getBytes, 0, 10), java.util.Arrays.copyOfRange(r.getBytes, 10, 100)) }
      .sortByKey()
      .foreachPartition { rows =>
        val name = f"part-${org.apache.spark.TaskContext.getPartitionId()}%05d.bin"
        val out = new BufferedOutputStream(new FileOutputStream(output + "/" + name), 1 << 20)
        try rows.foreach { case (k, v) => out.write(k); out.write(v) } finally out.close()
      }
  }
}
val began = System.nanoTime
try TeraSort.run(sc, sys.env("INPUT"), sys.env("OUTPUT")) catch { case e: Throwable => e.printStackTrace(); System.exit(1) }
println(f"sorted in ${(System.nanoTime - began) / 1e9}%.3f s")
System.exit(0)
