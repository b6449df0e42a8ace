#!/usr/bin/perl

# What requests cost, and budgets of dollars.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use RedisServer;
use Test::More;

needs_module();

# An answer has 11 tokens of prompt, 3 of which were cached, and 4 of answer.
my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    claude => { events => claude_events('one two three') },
    broken => { status => 500, json => { error => { message => 'boom' } } });
my $redis = RedisServer->start;
my $limit = 'ai_proxy_token_limit key=$http_x_user count=cost';
my $gw = Gateway->start(
    http => zone() . "ai_proxy_redis r 127.0.0.1:$redis->{port};\n"
        . join('', map { provider($_ => $_ eq 'claude' ? 'claude' : 'openai',
            $up->url($_)) } qw(plain stream claude broken))
        . provider(second => openai => $up->url('plain'),
            'model_map * free;')
        . "ai_proxy_route chain { provider broken model=dear;\n"
        . " fallback plain model=cheap; }\n"
        . "ai_proxy_price gpt-4o input=1000 output=2000 cached=500;\n"
        . "ai_proxy_price dear input=1000 output=10000 provider=broken;\n"
        . "ai_proxy_price cheap* input=0.1 output=0.4;\n"
        . "ai_proxy_consumer ann { key sk-ann; }\n"
        . "log_format c '\$uri \$ai_proxy_cost \$ai_proxy_limit_status';\n"
        . "log_format j escape=none '\$ai_proxy_log';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/c.log c;\n"
        . "access_log %%DIR%%/logs/j.log j;\n"
        . join('', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            qw(plain stream claude second))
        . <<"EOF");
location /chain/ { ai_proxy_pass chain; $limit rate=0.1/d name=chain; }
location /zone/ { ai_proxy_pass plain; $limit rate=0.05/d name=zone; }
location /redis/ { ai_proxy_pass plain; $limit rate=0.05/d name=shared store=r; }
location /own/ { ai_proxy_pass plain; ai_proxy_price * input=1 output=1; }
location /auth/ { ai_proxy_pass plain; ai_proxy_auth key; }
location /status { access_log off; ai_proxy_status; }
location /metrics { access_log off; ai_proxy_metrics; }
EOF

my $count = 0;
sub ask {
    my ($place, $user, %fields) = @_;
    my $reply = $gw->client->post("/$place/v1/chat/completions",
        chat_body(%fields), headers => { 'X-User' => $user,
        Authorization => 'Bearer sk-ann' });
    ++$count;
    return ($reply, (split ' ', ($gw->log_lines('c.log', $count))[-1])[1],
        decode(($gw->log_lines('j.log', $count))[-1])->{cost});
}

# 8 * 0.001 + 3 * 0.0005 + 4 * 0.002 dollars.
is_deeply([(ask('plain', 'a'))[1, 2]], ['0.017500', 0.0175], 'a plain answer');
is_deeply([(ask('stream', 'a', stream => \1))[1, 2]], ['0.017500', 0.0175],
    'a stream');
is((ask('claude', 'a', stream => \1))[1], '0.017500', 'a converted one');
is_deeply([(ask('second', 'a'))[1, 2]], ['-', undef], 'a model without price');
is((ask('own', 'a'))[1], '0.000015', 'the prices of the location');
is((ask('auth', 'a'))[1], '0.017500', 'a consumer');
# (11 * 0.1 + 4 * 0.4) / 10^6: less than a millionth is a millionth.
is((ask('plain', 'a', model => 'cheap-one'))[1], '0.000003', 'rounded up');

# Budgets.

for my $place (qw(zone redis)) {
    my $message = qr/0\.05 USD per day/;
    my ($reply, $cost) = ask($place, 'ann', max_tokens => 4);
    is($reply->{status}, 200, "$place: within the budget");
    is(Client::header($reply, 'x-ratelimit-limit-tokens'), undef,
        "$place: no fields of tokens");
    my $refused;
    $gw->until(sub {
        ($refused) = ask($place, 'ann', max_tokens => 100);
        return $refused->{body} =~ /0\.0175 used/;
    }, 20);
    check_error($refused, 429, qr/$message, 0\.0175 used, 0\.2\d* requested/,
        "$place: what may cost more than is left");
    is(decode($refused->{body})->{error}{type}, 'cost', "$place: its type");
    is((ask($place, 'ann', max_tokens => 4))[0]{status}, 200,
        "$place: one that fits");
    $gw->until(sub {
        ($refused) = ask($place, 'ann', max_tokens => 8);
        return $refused->{status} == 429;
    }, 20);
    check_error($refused, 429, qr/$message, 0\.035 used/,
        "$place: and then none");
    is((ask($place, 'ann', max_tokens => 100, model => 'free'))[0]{status}, 200,
        "$place: but one that costs nothing");
    is((ask($place, 'bob', max_tokens => 4))[0]{status}, 200,
        "$place: or somebody else's");
}
my $stored = $redis->say('KEYS', 'ai_proxy_token_limit:shared:*:ann');
like(ref $stored ? "@$stored" : $stored, qr/ai_proxy_token_limit:shared:/,
    'Redis knows it');

# 100 tokens at the dear model would be refused, what answered is charged.
my ($reply) = ask('chain', 'ann', max_tokens => 100);
is($reply->{status}, 429, 'the model that is asked first is what counts');
is((ask('chain', 'ann', max_tokens => 3))[1], '0.000003',
    'the one that answered is what is paid');
check_error((ask('chain', 'ann', max_tokens => 100))[0], 429,
    qr/0\.1 USD per day, 0\.000003 used/, 'and what is charged');

# Metrics.

my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_cost_usd_total\{route="stream",
    provider="stream",model="[^"]*"\}\ 0\.0175$/mx, 'the cost of a series')
    or diag(join "\n", grep { /cost/ } split /\n/, $metrics);
like($metrics, qr/^ai_proxy_unpriced_requests_total\{route="second",.*\} 1$/m,
    'requests without a price');
like($metrics, qr/^ai_proxy_consumer_cost_usd_total\{consumer="ann"\} 0\.0175$/m,
    'the cost of a consumer');
like($metrics, qr/^ai_proxy_limit_charged_usd_total\{limit="zone"\} 0\.0525$/m,
    'what a budget was charged');
like($metrics, qr/^ai_proxy_limit_requests_total\{limit="zone",
    result="passed"\}\ 4$/mx, 'the requests that it let pass');
like($metrics, qr/^ai_proxy_limit_requests_total\{limit="zone",
    result="rejected"\}\ [2-9]/mx, 'and those it did not');
my $state = Client::json($gw->client->get('/status'));
my ($zone) = grep { $_->{limit} eq 'zone' } @{ $state->{limits} };
is($zone->{charged_usd}, 0.0525, 'the same in the status');
is($zone->{passed}, 4, 'all of it');

$redis->stop;
ask('redis', 'cid') for 1 .. 2;
$metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_limit_store_errors_total\{limit="shared"\} [12]$/m,
    'requests that Redis did not count');

# A budget of dollars where nothing has a price is a mistake.
my $without = Gateway->new(http => zone() . provider(mock => 'mock'),
    server => "location / { ai_proxy_pass mock; $limit rate=1/d; }");
my ($code, $said) = $without->check;
is($code, 0, 'nginx -t accepts it');
like($said, qr/\[warn\].* counts costs in location "\/", where no /,
    'and warns');

done($gw, $up);
