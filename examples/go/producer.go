// A producer for Bursar: deducts in Redis, then publishes what it deducted to RabbitMQ.
//
//	usage: go mod tidy; go run . BUDGET_ID AMOUNT [MESSAGE_ID]
//
// Prints one line of JSON. Exit status: 0 deducted and published (or known before), 1 refused, 75 not known to be published: run it
// again with the same MESSAGE_ID.
//
// BURSAR_REDIS_URL, BURSAR_AMQP_URL and BURSAR_DEDUCT_LUA (the path of scripts/redis/deduct.lua) say where things are.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
)

const (
	exchange       = "bursar"
	routingKey     = "deduction"
	prefix         = "budget:"
	tries          = 5
	confirmTimeout = 10 * time.Second
)

var keySuffixes = []string{"", ":pending", ":done:0", ":done:1", ":meta", ":credits"}

var statusNames = map[int64]string{1: "deducted", 0: "repeat", -2: "insufficient", -3: "not-initialised", -4: "conflict",
	-5: "invalid", -6: "refunded", -7: "closed"}

// Message is what Bursar reads.
type Message struct {
	MessageID  string `json:"message_id"`
	BudgetID   string `json:"budget_id"`
	Amount     int64  `json:"amount"`
	DeductedAt int64  `json:"deducted_at"`
	UserID     string `json:"user_id,omitempty"`
}

// Answer is what became of a deduction; Published says whether the broker confirmed its message.
type Answer struct {
	MessageID  string `json:"message_id"`
	Status     string `json:"status"`
	Left       string `json:"left"`
	DeductedAt string `json:"deducted_at"`
	Published  bool   `json:"published"`
}

// Producer is for one goroutine.
type Producer struct {
	redis   *redis.Client
	script  *redis.Script
	amqpURL string
	link    *link
}

type link struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	returns    chan amqp.Return
	closed     chan *amqp.Error
}

// NewProducer connects to Redis; RabbitMQ is connected to when the first message is published.
func NewProducer(redisURL, amqpURL, deductLua string) (*Producer, error) {
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, err
	}
	source, err := os.ReadFile(deductLua)
	if err != nil {
		return nil, err
	}
	return &Producer{redis: redis.NewClient(options), script: redis.NewScript(string(source)), amqpURL: amqpURL}, nil
}

// newMessageID makes a UUIDv7: the time first, so that the ledger's index grows at its end.
func newMessageID() string {
	var id [16]byte
	if _, err := rand.Read(id[6:]); err != nil {
		panic(err)
	}
	for i, now := 5, time.Now().UnixMilli(); i >= 0; i, now = i-1, now>>8 {
		id[i] = byte(now)
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// repeated calls what until it works. Everything here may be repeated, because the message id stays the same.
func repeated(what func() error) error {
	for attempt := 1; ; attempt++ {
		err := what()
		if err == nil || attempt == tries {
			return err
		}
		fmt.Fprintln(os.Stderr, "trying again:", err)
		time.Sleep(100 * time.Millisecond << attempt)
	}
}

// Deduct asks deduct.lua. A lost answer is asked for again with the same id. left and token are empty where they do not apply.
func (p *Producer) Deduct(ctx context.Context, budgetID string, amount int64, messageID string) (status int64, left, token string,
	err error) {
	keys := make([]string, len(keySuffixes))
	for i, suffix := range keySuffixes {
		keys[i] = prefix + "{" + budgetID + "}" + suffix
	}
	err = repeated(func() error {
		// EVALSHA; where Redis forgot the script (NOSCRIPT), Run sends the whole of it.
		reply, err := p.script.Run(ctx, p.redis, keys, messageID, amount).Slice()
		if err != nil {
			return err
		}
		if len(reply) != 3 {
			return fmt.Errorf("deduct.lua answered %v", reply)
		}
		status, _ = reply[0].(int64)
		left, _ = reply[1].(string)
		token, _ = reply[2].(string)
		return nil
	})
	return status, left, token, err
}

// Publish returns once RabbitMQ has confirmed that the message is in a queue.
func (p *Producer) Publish(ctx context.Context, message Message) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return repeated(func() error {
		err := p.publishOnce(ctx, message.MessageID, body)
		if err != nil {
			p.closeLink()
		}
		return err
	})
}

func (p *Producer) publishOnce(ctx context.Context, messageID string, body []byte) error {
	if err := p.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	const mandatory, immediate = true, false
	confirmation, err := p.link.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, routingKey, mandatory, immediate,
		amqp.Publishing{MessageId: messageID, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body})
	if err != nil {
		return err
	}
	confirmed := make(chan bool, 1)
	go func() { confirmed <- confirmation.Wait() }()
	select {
	case ok := <-confirmed:
		if !ok {
			return errors.New("the broker refused the message")
		}
	case err := <-p.link.closed:
		return fmt.Errorf("the connection was closed: %v", err)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-p.link.returns: // a message that no queue takes comes back first, and is confirmed then
		return fmt.Errorf("no queue is bound to %s for %s", exchange, routingKey)
	default:
		return nil
	}
}

func (p *Producer) open() error {
	if p.link != nil {
		return nil
	}
	connection, err := amqp.DialConfig(p.amqpURL, amqp.Config{Heartbeat: 10 * time.Second, Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return err
	}
	channel, err := connection.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	if err != nil {
		connection.Close()
		return err
	}
	p.link = &link{connection: connection, channel: channel, returns: channel.NotifyReturn(make(chan amqp.Return, 1)),
		closed: channel.NotifyClose(make(chan *amqp.Error, 1))}
	return nil
}

func (p *Producer) closeLink() {
	if p.link != nil {
		p.link.connection.Close()
	}
	p.link = nil
}

// Close closes both connections.
func (p *Producer) Close() {
	p.closeLink()
	p.redis.Close()
}

// Produce deducts and publishes. userID may be empty.
func (p *Producer) Produce(ctx context.Context, budgetID string, amount int64, messageID, userID string) (Answer, error) {
	status, left, token, err := p.Deduct(ctx, budgetID, amount, messageID)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{MessageID: messageID, Status: statusNames[status], Left: left, DeductedAt: token}
	if status != 1 && status != 0 {
		return answer, nil
	}
	deductedAt, err := strconv.ParseInt(token, 10, 64)
	if err != nil {
		return answer, err
	}
	// Also after a repeat: the first try may have died before it published. The ledger books an id once.
	err = p.Publish(ctx, Message{messageID, budgetID, amount, deductedAt, userID})
	if err != nil {
		// Never given back: the message may have arrived. The same id again settles the question.
		fmt.Fprintln(os.Stderr, "not confirmed:", err)
	}
	answer.Published = err == nil
	return answer, nil
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func run() int {
	amount := int64(0)
	if len(os.Args) == 3 || len(os.Args) == 4 {
		amount, _ = strconv.ParseInt(os.Args[2], 10, 64)
	}
	if amount < 1 {
		fmt.Fprintln(os.Stderr, "usage: producer BUDGET_ID AMOUNT [MESSAGE_ID]")
		return 64
	}
	producer, err := NewProducer(environment("BURSAR_REDIS_URL", "redis://127.0.0.1:6379/0"),
		environment("BURSAR_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
		environment("BURSAR_DEDUCT_LUA", "../../scripts/redis/deduct.lua"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 78
	}
	defer producer.Close()
	// The id belongs to the business event (an order, a draw), and is kept with it: whoever retries uses the same one.
	messageID := newMessageID()
	if len(os.Args) == 4 {
		messageID = os.Args[3]
	}
	answer, err := producer.Produce(context.Background(), os.Args[1], amount, messageID, "")
	if err != nil {
		// It may be deducted all the same: only the same id finds that out.
		fmt.Fprintf(os.Stderr, "not known to be deducted: %v; run it again with the id %s\n", err, messageID)
		return 75
	}
	line, _ := json.Marshal(answer)
	fmt.Println(string(line))
	if answer.Published {
		return 0
	}
	if answer.Status == "deducted" || answer.Status == "repeat" {
		return 75
	}
	return 1
}

func main() {
	os.Exit(run())
}
