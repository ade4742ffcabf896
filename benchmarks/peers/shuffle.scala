// Spark's shuffle of records of 100 bytes whose first 10 are the key, by key
// into PARTITIONS partitions: over an RDD, and over a DataFrame in Spark's own
// binary rows. The environment names INPUT, PARTITIONS and ROUNDS. The records
// lie in memory before the clock starts, and every round writes and reads a
// shuffle of its own. The last line of a round says which it was, its seconds,
// the records that were read and the sum of their CRC-32s.
import java.util.zip.CRC32
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.io.{BytesWritable, LongWritable}
import org.apache.hadoop.mapreduce.lib.input.FixedLengthInputFormat
import org.apache.spark.Partitioner
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.functions.col
import org.apache.spark.storage.StorageLevel

object Shuffle extends Serializable {
  class ByKey(n: Int) extends Partitioner {
    def numPartitions: Int = n
    def getPartition(key: Any): Int = Math.floorMod(java.util.Arrays.hashCode(key.asInstanceOf[Array[Byte]]), n)
  }
  def sum(rows: Iterator[(Array[Byte], Array[Byte])]): Iterator[(Long, Long)] = {
    val crc = new CRC32()
    var n, total = 0L
    rows.foreach { case (k, v) => crc.reset(); crc.update(k); crc.update(v); n += 1; total += crc.getValue }
    Iterator((n, total))
  }
  def timed(how: String)(round: => (Long, Long)): Unit = {
    val began = System.nanoTime
    val (n, total) = round
    println(f"shuffled $how in ${(System.nanoTime - began) / 1e9}%.3f s records $n sum $total")
  }
  def run(spark: SparkSession, input: String, parts: Int, rounds: Int): Unit = {
    import spark.implicits._
    val conf = new Configuration(spark.sparkContext.hadoopConfiguration)
    FixedLengthInputFormat.setRecordLength(conf, 100)
    val rows = spark.sparkContext
      .newAPIHadoopFile("file://" + input, classOf[FixedLengthInputFormat], classOf[LongWritable], classOf[BytesWritable], conf)
      .map { case (_, r) => (java.util.Arrays.copyOfRange(r.getBytes, 0, 10), java.util.Arrays.copyOfRange(r.getBytes, 10, 100)) }
      .persist(StorageLevel.MEMORY_ONLY)
    rows.count()
    def add(a: (Long, Long), b: (Long, Long)) = (a._1 + b._1, a._2 + b._2)
    for (_ <- 1 to rounds) timed("rdd")(rows.partitionBy(new ByKey(parts)).mapPartitions(sum).reduce(add))
    val frame = rows.toDF("key", "value").persist(StorageLevel.MEMORY_ONLY)
    frame.count()
    rows.unpersist(true)
    for (_ <- 1 to rounds) timed("dataframe")(frame.repartition(parts, col("key")).queryExecution.toRdd
      .mapPartitions(it => sum(it.map(r => (r.getBinary(0), r.getBinary(1))))).reduce(add))
  }
}
try Shuffle.run(spark, sys.env("INPUT"), sys.env("PARTITIONS").toInt, sys.env("ROUNDS").toInt)
catch { case e: Throwable => e.printStackTrace(); System.exit(1) }
System.exit(0)
